//! The inside of function 43/14, read device identification (clause 6.21). Owns the names of the
//! standard objects.

/// One page of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Object to ask for next, when there is more.
    pub next: Option<u8>,
    /// Object ids with their text.
    pub objects: Vec<(u8, String)>,
}

/// Reads what follows the function code. `None` when it is not such an answer.
#[must_use]
pub fn parse(body: &[u8]) -> Option<Page> {
    let (&[mei, _code, _conformity, more, next, count], mut rest) = body.split_first_chunk()?;
    if mei != 14 {
        return None;
    }
    let mut objects = Vec::new();
    for _ in 0..count {
        let (&[id, length], tail) = rest.split_first_chunk()?;
        let (text, tail) = tail.split_at_checked(length.into())?;
        objects.push((id, text_of(text)));
        rest = tail;
    }
    rest.is_empty().then_some(Page {
        next: (more == 0xFF).then_some(next),
        objects,
    })
}

/// Name of a standard object; others are called by number.
#[must_use]
pub fn object_name(id: u8) -> String {
    match id {
        0 => "vendor_name".into(),
        1 => "product_code".into(),
        2 => "revision".into(),
        3 => "vendor_url".into(),
        4 => "product_name".into(),
        5 => "model_name".into(),
        6 => "application_name".into(),
        other => format!("object_{other}"),
    }
}

fn text_of(octets: &[u8]) -> String {
    let text: String = match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => octets.iter().map(|o| char::from(*o)).collect(),
    };
    text.chars()
        .filter(|c| !c.is_control())
        .collect::<String>()
        .trim()
        .to_owned()
}
