//! The tag walker: everything in a BACnet service is a row of tags (ANSI/ASHRAE 135, clause 20.2.1).
//! Owns the only code that turns a length found in a frame into an index. Total: every octet string
//! ends as elements or as a [`DecodeError`], and nothing is read twice.

/// Groups within groups deeper than this are refused; the standard's own nest less than ten deep.
const DEPTH: usize = 32;

/// Octets that are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end in the middle of something.
    #[error("the frame ends in the middle of {0}")]
    Short(&'static str),
    /// Another tag stands where one was required.
    #[error("{0} is missing or stands elsewhere")]
    Missing(&'static str),
    /// A value that its type cannot have.
    #[error("{0} is not one the standard allows")]
    Invalid(&'static str),
    /// Something follows where nothing may.
    #[error("something follows {0}")]
    Extra(&'static str),
    /// Groups within groups without end.
    #[error("groups are nested deeper than {DEPTH}")]
    Deep,
}

/// What kind of tag an element has, with its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// The number says the type.
    Application(u8),
    /// The number says the field; the type follows from where it stands.
    Context(u8),
    /// Begins a group.
    Opening(u8),
    /// Ends a group.
    Closing(u8),
}

/// One tag with its content; groups have none here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// Kind and number.
    pub tag: Tag,
    /// Content; empty for booleans of application class, whose value is the length.
    pub content: &'a [u8],
    /// The length field as it stands.
    pub length: u32,
}

/// Walks a row of tags from its front.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// At the first tag of these octets.
    #[must_use]
    pub fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// Nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing may be left.
    pub fn end(&self, what: &'static str) -> Result<(), DecodeError> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(DecodeError::Extra(what)),
        }
    }

    /// What is left.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    fn split(&self) -> Result<(Element<'a>, &'a [u8]), DecodeError> {
        let mut rest = self.0;
        let first = octet(&mut rest, "a tag")?;
        let number = match first >> 4 {
            15 => octet(&mut rest, "a tag number")?,
            low => low,
        };
        let (context, low) = (first & 0b1000 != 0, first & 0b111);
        let bare = |tag| Element {
            tag,
            content: &[],
            length: 0,
        };
        match (context, low) {
            (true, 6) => return Ok((bare(Tag::Opening(number)), rest)),
            (true, 7) => return Ok((bare(Tag::Closing(number)), rest)),
            (false, 6 | 7) => return Err(DecodeError::Invalid("a tag")),
            _ => {}
        }
        let length = match low {
            5 => match octet(&mut rest, "a length")? {
                254 => u32::from(u16::from_be_bytes(take(&mut rest, "a length")?)),
                255 => u32::from_be_bytes(take(&mut rest, "a length")?),
                short => u32::from(short),
            },
            short => u32::from(short),
        };
        if !context && number == 1 {
            let element = Element {
                tag: Tag::Application(1),
                content: &[],
                length,
            };
            return Ok((element, rest));
        }
        let octets = usize::try_from(length).map_err(|_| DecodeError::Short("a value"))?;
        let (content, rest) = rest
            .split_at_checked(octets)
            .ok_or(DecodeError::Short("a value"))?;
        let tag = if context {
            Tag::Context(number)
        } else {
            Tag::Application(number)
        };
        Ok((
            Element {
                tag,
                content,
                length,
            },
            rest,
        ))
    }

    /// The next element, without stepping over it.
    pub fn peek(&self) -> Result<Element<'a>, DecodeError> {
        self.split().map(|(element, _)| element)
    }

    /// The next element.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator cannot end with an error and stay there"
    )]
    pub fn next(&mut self) -> Result<Element<'a>, DecodeError> {
        let (element, rest) = self.split()?;
        self.0 = rest;
        Ok(element)
    }

    fn next_is(&self, tag: Tag) -> bool {
        self.peek().is_ok_and(|e| e.tag == tag)
    }

    /// Content of context tag `number`, which must stand here.
    pub fn context(&mut self, number: u8, what: &'static str) -> Result<&'a [u8], DecodeError> {
        self.optional(number)?.ok_or(DecodeError::Missing(what))
    }

    /// Content of context tag `number`, where it stands here.
    pub fn optional(&mut self, number: u8) -> Result<Option<&'a [u8]>, DecodeError> {
        if self.next_is(Tag::Context(number)) {
            return self.next().map(|e| Some(e.content));
        }
        Ok(None)
    }

    /// Content of application tag `number`, which must stand here.
    pub fn application(&mut self, number: u8, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let element = self.next()?;
        match element.tag == Tag::Application(number) {
            true => Ok(element.content),
            false => Err(DecodeError::Missing(what)),
        }
    }

    /// Whether group `number` begins here.
    #[must_use]
    pub fn opens(&self, number: u8) -> bool {
        self.next_is(Tag::Opening(number))
    }

    /// The octets inside group `number`, which must begin here; steps over its end.
    pub fn group(&mut self, number: u8, what: &'static str) -> Result<&'a [u8], DecodeError> {
        if !self.opens(number) {
            return Err(DecodeError::Missing(what));
        }
        self.next()?;
        let start = self.0;
        loop {
            let before = self.0.len();
            if self.next_is(Tag::Closing(number)) {
                self.next()?;
                return Ok(start.get(..start.len() - before).unwrap_or_default());
            }
            self.skip()?;
        }
    }

    /// Steps over one element, or over one whole group; the octets it takes.
    pub fn skip(&mut self) -> Result<&'a [u8], DecodeError> {
        let start = self.0;
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.next()?.tag {
                Tag::Opening(_) if open.len() >= DEPTH => return Err(DecodeError::Deep),
                Tag::Opening(number) => open.push(number),
                Tag::Closing(number) if open.pop() != Some(number) => {
                    return Err(DecodeError::Missing("the end of a group"));
                }
                _ => {}
            }
            if open.is_empty() {
                let taken = start.len() - self.0.len();
                return Ok(start.get(..taken).unwrap_or_default());
            }
        }
    }
}

/// Takes one octet off the front.
pub(crate) fn octet(rest: &mut &[u8], what: &'static str) -> Result<u8, DecodeError> {
    let (first, others) = rest.split_first().ok_or(DecodeError::Short(what))?;
    *rest = others;
    Ok(*first)
}

/// Takes `N` octets off the front.
pub(crate) fn take<const N: usize>(
    rest: &mut &[u8],
    what: &'static str,
) -> Result<[u8; N], DecodeError> {
    let (first, others) = rest
        .split_first_chunk::<N>()
        .ok_or(DecodeError::Short(what))?;
    *rest = others;
    Ok(*first)
}

/// An unsigned number of one to eight octets.
pub fn unsigned(content: &[u8], what: &'static str) -> Result<u64, DecodeError> {
    if content.is_empty() || content.len() > 8 {
        return Err(DecodeError::Invalid(what));
    }
    Ok(content
        .iter()
        .fold(0, |sum, octet| (sum << 8) | u64::from(*octet)))
}

/// An unsigned number that must fit its field.
pub fn number<T: TryFrom<u64>>(content: &[u8], what: &'static str) -> Result<T, DecodeError> {
    T::try_from(unsigned(content, what)?).map_err(|_| DecodeError::Invalid(what))
}

/// Writes a tag and leaves its content to be written.
pub fn put_tag(out: &mut Vec<u8>, context: bool, number: u8, length: usize) {
    let class = u8::from(context) << 3;
    let low = u8::try_from(length).unwrap_or(u8::MAX).min(5);
    put_first(out, number, class | low);
    if length < 5 {
        return;
    }
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=253), _) => out.push(short),
        (_, Ok(long)) => {
            out.push(254);
            out.extend(long.to_be_bytes());
        }
        _ => {
            out.push(255);
            out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
}

fn put_first(out: &mut Vec<u8>, number: u8, low: u8) {
    if number < 15 {
        out.push((number << 4) | low);
    } else {
        out.extend([0xF0 | low, number]);
    }
}

/// Begins group `number`.
pub fn put_open(out: &mut Vec<u8>, number: u8) {
    put_first(out, number, 0b1110);
}

/// Ends group `number`.
pub fn put_close(out: &mut Vec<u8>, number: u8) {
    put_first(out, number, 0b1111);
}

/// A context tag with these octets.
pub fn put_context(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    put_tag(out, true, number, content.len());
    out.extend(content);
}

/// A context tag with an unsigned number in as few octets as it needs (clause 20.2.4).
pub fn put_context_number(out: &mut Vec<u8>, number: u8, value: u64) {
    put_context(out, number, shortest(&value.to_be_bytes()));
}

/// An unsigned number without its leading zeros; one octet at least.
pub(crate) fn shortest(octets: &[u8; 8]) -> &[u8] {
    let zeros = octets.iter().take(7).take_while(|o| **o == 0).count();
    octets.get(zeros..).unwrap_or(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_form_are_read_as_written() {
        for length in [0, 1, 4, 5, 253, 254, 255, 65_535, 65_536] {
            for number in [0, 14, 15, 200] {
                let mut out = Vec::new();
                put_context(&mut out, number, &vec![7; length]);
                let mut reader = Reader::new(&out);
                let element = reader.next().unwrap();
                assert_eq!(element.tag, Tag::Context(number));
                assert_eq!(element.content.len(), length);
                assert!(reader.is_empty());
            }
        }
    }

    #[test]
    fn groups_are_taken_whole_and_crossed_ones_refused() {
        let mut reader = Reader::new(&[0x3e, 0x1e, 0x21, 5, 0x1f, 0x3f, 0x00]);
        assert_eq!(reader.group(3, "value").unwrap(), &[0x1e, 0x21, 5, 0x1f]);
        assert_eq!(reader.rest(), &[0x00]);
        assert!(Reader::new(&[0x1e, 0x2e, 0x1f, 0x2f]).skip().is_err());
        assert!(Reader::new(&[0x1e]).group(1, "value").is_err());
        assert_eq!(Reader::new(&[0x1e; 64]).skip(), Err(DecodeError::Deep));
    }

    #[test]
    fn a_context_tag_is_no_length() {
        // `29 87`: a decoder that masks too little reads past the end.
        assert_eq!(Reader::new(&[0x29, 0x87]).next().unwrap().content, &[0x87]);
        assert!(
            Reader::new(&[0x2d, 0xff, 0xff, 0xff, 0xff, 0xff])
                .next()
                .is_err()
        );
    }

    #[test]
    fn numbers_take_as_few_octets_as_they_need() {
        for (value, octets) in [(0, 1), (255, 1), (256, 2), (65_536, 3), (1 << 24, 4)] {
            let mut out = Vec::new();
            put_context_number(&mut out, 1, value);
            assert_eq!(out.len(), octets + 1, "{value}");
            assert_eq!(unsigned(&out[1..], "number"), Ok(value));
        }
    }
}
