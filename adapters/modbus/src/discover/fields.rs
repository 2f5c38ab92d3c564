//! What a person is asked before a search of Modbus devices: the options of `scope`, with defaults that
//! are polite to a bus.

use riser_adapter::{Field, FieldKind, SearchField};
use toml::Value;

/// In the order a technician thinks of them.
pub(super) fn fields() -> Vec<SearchField> {
    let rates = [
        "1200", "2400", "4800", "9600", "19200", "38400", "57600", "115200",
    ];
    let number = |min, max| FieldKind::Number { min, max };
    let all = [
        ask("transport", "How they are connected", choice(&["tcp", "rtu_over_tcp", "rtu"]))
            .offered("tcp")
            .about("tcp: Modbus/TCP. rtu: a serial port of this gateway. rtu_over_tcp: a serial device server."),
        ask("hosts", "Where to look", FieldKind::Text)
            .about("Addresses, ranges or networks, such as 192.0.2.7, 192.0.2.10-20 or 192.0.2.0/28")
            .only("transport", &["tcp", "rtu_over_tcp"]),
        ask("port", "TCP port", number(1, 65_535))
            .offered(502)
            .only("transport", &["tcp", "rtu_over_tcp"]),
        ask("serial", "Serial port", FieldKind::Text)
            .about("The device file, such as /dev/ttyS1")
            .only("transport", &["rtu"]),
        ask("baud", "Baud rate", choice(&rates)).offered("19200").only("transport", &["rtu"]),
        ask("parity", "Parity", choice(&["even", "odd", "none"]))
            .offered("even")
            .only("transport", &["rtu"]),
        ask("units", "Unit ids", FieldKind::Text)
            .offered("1-10")
            .about("Each one is asked, such as 1-10 or 1, 5, 20-30; up to 247"),
        ask("rate", "Questions a second", number(1, 100))
            .offered(10)
            .about("Over all hosts together; fewer are politer to an old bus"),
    ];
    all.into_iter().map(|asked| asked.0).collect()
}

struct Asked(SearchField);

fn ask(name: &str, title: &str, kind: FieldKind) -> Asked {
    Asked(SearchField {
        field: Field {
            name: name.to_owned(),
            title: title.to_owned(),
            kind,
            required: false,
        },
        default: None,
        about: String::new(),
        when: None,
    })
}

fn choice(all: &[&str]) -> FieldKind {
    FieldKind::Choice(all.iter().map(|one| (*one).to_owned()).collect())
}

impl Asked {
    fn offered(mut self, value: impl Into<Value>) -> Self {
        self.0.default = Some(value.into());
        self
    }

    fn about(mut self, text: &str) -> Self {
        text.clone_into(&mut self.0.about);
        self
    }

    fn only(mut self, other: &str, values: &[&str]) -> Self {
        let values = values.iter().map(|value| (*value).to_owned());
        self.0.when = Some((other.to_owned(), values.collect()));
        self
    }
}
