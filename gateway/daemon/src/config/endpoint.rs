//! The address of a cloud. Owns how it is written.

/// Host and port of `mqtts://host[:port]`.
pub(super) fn endpoint(url: &str) -> Result<(String, u16), String> {
    let wanted = "write it as mqtts://name or mqtts://name:port";
    let rest = url
        .strip_prefix("mqtts://")
        .ok_or_else(|| format!("'{url}' is no address of a cloud; {wanted}"))?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.rsplit_once(':') {
        None => (rest, 8883),
        Some((host, port)) => {
            let port = port.parse().ok().filter(|port| *port > 0);
            (
                host,
                port.ok_or_else(|| format!("'{url}' has no usable port; {wanted}"))?,
            )
        }
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if host.is_empty() || !host.chars().all(fits) {
        return Err(format!("'{host}' is no name of a host; {wanted}"));
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_clouds() {
        assert_eq!(
            endpoint("mqtts://cloud.example"),
            Ok(("cloud.example".into(), 8883))
        );
        assert_eq!(
            endpoint("mqtts://192.0.2.1:1883/"),
            Ok(("192.0.2.1".into(), 1883))
        );
        for bad in [
            "mqtt://x",
            "cloud.example",
            "mqtts://",
            "mqtts://x:0",
            "mqtts://x:y",
            "mqtts://u@x",
        ] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }
}
