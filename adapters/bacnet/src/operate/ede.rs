//! Engineering Data Exchange: the lists of a building's objects that trades hand each other as tables
//! (B.I.G.-EU, layouts 2.1 to 2.3): the object list, state texts, unit codes and object types. Owns
//! the format both ways and the words for what is wrong with a file, with the number of the line.
//! Total: every text ends as a list or as an error.

use super::cells::{cells, harmless, line, lines, separator};
use crate::codec::{ANY_INSTANCE, ObjectId, ObjectType};
use riser_model::Unit;
use std::collections::{BTreeMap, HashMap};

/// Objects of a list, at most.
const ROWS: usize = 100_000;

/// A list of objects.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct List {
    pub(super) project: String,
    pub(super) author: String,
    pub(super) changed: String,
    pub(super) rows: Vec<Row>,
}

/// One object of a list.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// Where it stands in the file, counted from 1; 0 where it comes from no file.
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) device: u32,
    pub(super) name: String,
    pub(super) object: ObjectId,
    pub(super) description: String,
    pub(super) least: Option<f64>,
    pub(super) most: Option<f64>,
    pub(super) settable: Option<bool>,
    pub(super) cov: Option<bool>,
    /// Number in the file of state texts.
    pub(super) states: Option<u32>,
    /// Number of the unit, or what somebody wrote instead.
    pub(super) unit: String,
}

/// Texts by number, as the side files have them.
pub(super) type Texts = BTreeMap<u32, Vec<String>>;

const COLUMNS: [&str; 16] = [
    "keyname",
    "device obj.-instance",
    "object-name",
    "object-type",
    "object-instance",
    "description",
    "present-value-default",
    "min-present-value",
    "max-present-value",
    "settable",
    "supports COV",
    "hi-limit",
    "low-limit",
    "state-text-reference",
    "unit-code",
    "vendor-specific-address",
];

/// A name of a column without what programs write differently.
fn plain(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

/// Where columns are in a file.
struct Columns {
    separator: char,
    at: HashMap<String, usize>,
}

impl Columns {
    /// From the line that names them; `None` for any other line.
    fn new(line: &str) -> Option<Self> {
        let separator = separator(line);
        let named = cells(line, separator).ok()?;
        let named: Vec<String> = named.iter().map(|name| plain(name)).collect();
        let at: HashMap<String, usize> = named.into_iter().zip(0..).collect();
        let needed = ["keyname", "objecttype", "objectinstance"];
        needed
            .iter()
            .all(|n| at.contains_key(*n))
            .then_some(Self { separator, at })
    }

    fn cell<'a>(&self, cells: &'a [String], names: &[&str]) -> &'a str {
        let found = names.iter().find_map(|name| self.at.get(*name));
        found
            .and_then(|at| cells.get(*at))
            .map_or("", |cell| cell.trim())
    }

    fn row(&self, line: usize, cells: &[String]) -> Result<Row, String> {
        let wrong = |what: &str, text: &str| format!("line {line}: '{text}' is no {what}");
        let whole = |names: &[&str], what: &str, most: u32| {
            let text = self.cell(cells, names);
            let number = text.parse::<u32>().ok().filter(|n| *n <= most);
            number.ok_or_else(|| wrong(what, text))
        };
        let kind = whole(
            &["objecttype"],
            "object type; it is a number from 0 to 1023",
            1023,
        )?;
        let kind = ObjectType(u16::try_from(kind).unwrap_or(u16::MAX));
        let instance = whole(&["objectinstance"], "object instance", ANY_INSTANCE)?;
        let device = [
            "deviceobjinstance",
            "deviceinstance",
            "deviceobjectinstance",
        ];
        let device = whole(&device, "device instance", ANY_INSTANCE - 1)?;
        let number = |name: &str| match self.cell(cells, &[name]) {
            "" => Ok(None),
            text => {
                // Decimal commas, where the comma separates nothing.
                let plain = match self.separator {
                    ',' => text.to_owned(),
                    _ => text.replace(',', "."),
                };
                let number = plain.parse::<f64>().ok().filter(|x| x.is_finite());
                number.map(Some).ok_or_else(|| wrong("number", text))
            }
        };
        let flag = |name: &str| yes_or_no(self.cell(cells, &[name]), line);
        let states = match self.cell(cells, &["statetextreference"]) {
            "" => None,
            text => Some(
                text.parse()
                    .map_err(|_| wrong("number of a state text", text))?,
            ),
        };
        let name = self.cell(cells, &["objectname"]);
        if name.is_empty() {
            return Err(format!("line {line}: the object has no name"));
        }
        Ok(Row {
            line,
            key: self.cell(cells, &["keyname"]).to_owned(),
            device,
            name: name.to_owned(),
            object: ObjectId::new(kind, instance),
            description: self.cell(cells, &["description"]).to_owned(),
            least: number("minpresentvalue")?,
            most: number("maxpresentvalue")?,
            settable: flag("settable")?,
            cov: flag("supportscov")?,
            states,
            unit: self.cell(cells, &["unitcode"]).to_owned(),
        })
    }
}

fn yes_or_no(text: &str, line: usize) -> Result<Option<bool>, String> {
    match text.to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "y" | "yes" | "j" | "ja" | "1" | "true" => Ok(Some(true)),
        "n" | "no" | "nein" | "0" | "false" => Ok(Some(false)),
        text => Err(format!("line {line}: '{text}' is neither Y nor N")),
    }
}

/// Reads a list of objects.
pub(super) fn list(text: &str) -> Result<List, String> {
    let mut list = List::default();
    let mut columns: Option<Columns> = None;
    let mut seen: HashMap<(u32, ObjectId), usize> = HashMap::new();
    for (number, line) in lines(text) {
        let Some(columns) = &columns else {
            columns = Columns::new(line);
            if columns.is_none() {
                heading(&mut list, line);
            }
            continue;
        };
        let cells =
            cells(line, columns.separator).map_err(|why| format!("line {number}: {why}"))?;
        let blank = cells.iter().all(|cell| cell.is_empty());
        if blank || line.trim_start().starts_with('#') {
            continue;
        }
        let row = columns.row(number, &cells)?;
        if let Some(first) = seen.insert((row.device, row.object), number) {
            let Row { object, device, .. } = row;
            return Err(format!(
                "line {number}: {object} of device {device} stands in line {first} already"
            ));
        }
        if list.rows.len() >= ROWS {
            return Err(format!("line {number}: more than {ROWS} objects"));
        }
        list.rows.push(row);
    }
    match columns {
        None => Err(
            "no line names the columns; an EDE file has one that begins with '# keyname'"
                .to_owned(),
        ),
        Some(_) => Ok(list),
    }
}

fn heading(list: &mut List, line: &str) {
    let cells = cells(line, separator(line)).unwrap_or_default();
    let name = cells.first().map(|cell| plain(cell));
    let value = cells.get(1).cloned().unwrap_or_default();
    match name.as_deref() {
        Some("projectname") => list.project = value,
        Some("authoroflastchange") => list.author = value,
        Some("timestampoflastchange") => list.changed = value,
        _ => {}
    }
}

/// Reads a side file: a number in each line, and its texts.
pub(super) fn texts(text: &str) -> Result<Texts, String> {
    let mut found = Texts::new();
    for (number, line) in lines(text) {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let cells = cells(line, separator(line)).map_err(|why| format!("line {number}: {why}"))?;
        let (first, rest) = cells
            .split_first()
            .map_or(("", &[][..]), |(f, r)| (f.as_str(), r));
        if first.is_empty() && rest.iter().all(String::is_empty) {
            continue;
        }
        let Ok(key) = first.parse::<u32>() else {
            // The line that names the columns, in files that do not mark it.
            if found.is_empty() {
                continue;
            }
            return Err(format!("line {number}: '{first}' is no number"));
        };
        let mut rest: Vec<String> = rest.to_vec();
        while rest.last().is_some_and(String::is_empty) {
            rest.pop();
        }
        if found.insert(key, rest).is_some() {
            return Err(format!("line {number}: {key} stands in the file twice"));
        }
    }
    Ok(found)
}

/// Writes a list of objects, layout 2.2.
pub(super) fn written(list: &List) -> String {
    let pair = |name: &str, value: &str| line(&[name.to_owned(), harmless(value)]);
    let mut text = "# Engineering-Data-Exchange - B.I.G.-EU\r\n".to_owned();
    text += &pair("PROJECT_NAME", &list.project);
    text += &pair("VERSION_OF_REFERENCEFILE", "1");
    text += &pair("TIMESTAMP_OF_LAST_CHANGE", &list.changed);
    text += &pair("AUTHOR_OF_LAST_CHANGE", &list.author);
    text += &pair("VERSION_OF_LAYOUT", "2.2");
    let needed = (0..COLUMNS.len()).map(|at| if at < 5 { "mandatory" } else { "optional" });
    text += &format!("# {}\r\n", needed.collect::<Vec<_>>().join(";"));
    text += &format!("# {}\r\n", COLUMNS.join(";"));
    for row in &list.rows {
        let number = |x: Option<f64>| x.map(|x| x.to_string()).unwrap_or_default();
        let flag = |on: Option<bool>| match on {
            Some(true) => "Y".to_owned(),
            Some(false) => "N".to_owned(),
            None => String::new(),
        };
        text += &line(&[
            harmless(&row.key),
            row.device.to_string(),
            harmless(&row.name),
            row.object.kind().0.to_string(),
            row.object.instance().to_string(),
            harmless(&row.description),
            String::new(),
            number(row.least),
            number(row.most),
            flag(row.settable),
            flag(row.cov),
            String::new(),
            String::new(),
            row.states.map(|n| n.to_string()).unwrap_or_default(),
            harmless(&row.unit),
            String::new(),
        ]);
    }
    text
}

/// Writes a side file under its heading.
pub(super) fn written_texts(heading: &str, texts: &Texts) -> String {
    let mut text = format!("# {heading}\r\n");
    for (number, row) in texts {
        let mut cells = vec![number.to_string()];
        cells.extend(row.iter().map(|text| harmless(text)));
        text += &line(&cells);
    }
    text
}

/// The unit a cell means: by its number, by the file of unit codes, or by what somebody wrote.
pub(super) fn unit(cell: &str, codes: &Texts) -> Option<Unit> {
    let Ok(number) = cell.parse::<u32>() else {
        return Unit::parse(cell).ok();
    };
    crate::mapping::unit(number.into()).or_else(|| {
        let text = codes.get(&number)?.first()?;
        Unit::parse(text).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As the interest group's example has it.
    const EXAMPLE: &str = "\u{feff}# Proposal_Engineering-Data-Exchange - B.I.G.-EU;;;\r\nPROJECT_NAME;Hall;;\r\nVERSION_OF_REFERENCEFILE;1;;\r\nVERSION_OF_LAYOUT;2.2;;\r\n#mandatory;mandatory;mandatory;mandatory;mandatory;optional\r\n# keyname;device obj.-instance;object-name;object-type;object-instance;description;present-value-default;min-present-value;max-present-value;settable;supports COV;hi-limit;low-limit;state-text-reference;unit-code;vendor-specific-address\r\nRoom15Temp;10;RoomTemperature;0;4123;\"A \"\"room\"\"; warm\";20;;;N;N;24;18;;62;T1\r\nRoom15Damper;10;Damper;1;1234;Damper;55;0;100,5;Y;Y;;;;98;D12\r\n\r\n;;;;;\r\nRoom01Window;12;Window;3;4711;Contact;;;;N;Y;;;5432;;W1\r\n";

    #[test]
    fn an_example_is_read() {
        let list = list(EXAMPLE).unwrap();
        assert_eq!((list.project.as_str(), list.rows.len()), ("Hall", 3));
        let [room, damper, window] = &list.rows[..] else {
            panic!("three rows");
        };
        assert_eq!(room.object, ObjectId::new(ObjectType::ANALOG_INPUT, 4123));
        assert_eq!(room.description, "A \"room\"; warm");
        assert_eq!((damper.most, damper.settable), (Some(100.5), Some(true)));
        assert_eq!(
            (window.states, window.device, window.line),
            (Some(5432), 12, 11)
        );
        assert_eq!(
            unit(&room.unit, &Texts::new()).map(Unit::symbol),
            Some("°C")
        );
    }

    #[test]
    fn side_files_are_read() {
        let text = "#State Text Reference;;;\n#Reference Number;Text 1;Text 2\n4;OFF;State 1;State 2;;\n5432;OPEN;CLOSED;;\n";
        let states = texts(text).unwrap();
        assert_eq!(states[&4], ["OFF", "State 1", "State 2"]);
        assert_eq!(states[&5432], ["OPEN", "CLOSED"]);
        let codes = texts("Code;Unit\n900;kWh\n").unwrap();
        assert_eq!(unit("900", &codes).map(Unit::symbol), Some("kWh"));
        assert_eq!(unit("°C", &codes).map(Unit::symbol), Some("°C"));
        assert_eq!(unit("---", &codes), None);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let no = |rows: &str| {
            let head = "# keyname;device obj.-instance;object-name;object-type;object-instance;description;settable\n";
            list(&format!("{head}{rows}")).unwrap_err()
        };
        assert!(no("a;1;A;x;1").starts_with("line 2: 'x' is no object type"));
        assert!(
            no("a;1;A;0;1\nb;4194303;B;0;2").starts_with("line 3: '4194303' is no device instance")
        );
        assert!(
            no("a;1;A;0;1\nb;1;B;0;1")
                .contains("line 3: analog-input:1 of device 1 stands in line 2")
        );
        assert!(no("a;1;;0;1").contains("line 2: the object has no name"));
        assert!(no("a;1;\"A;0;1").contains("line 2: a quotation mark is not closed"));
        assert!(no("a;1;A;0;1;;maybe").contains("line 2: 'maybe' is neither Y nor N"));
        assert!(list("a;b;c").unwrap_err().contains("names the columns"));
        assert!(
            texts("1;a\nx;b")
                .unwrap_err()
                .contains("line 2: 'x' is no number")
        );
        assert!(
            texts("1;a\n1;b")
                .unwrap_err()
                .contains("line 2: 1 stands in the file twice")
        );
    }

    fn word() -> impl Strategy<Value = String> {
        "[ -~äöü°]{0,20}".prop_map(|text| text.trim().to_owned())
    }

    fn row() -> impl Strategy<Value = Row> {
        (
            (
                word(),
                0..4_194_303_u32,
                "[!-~äöü]{1,20}",
                0..1024_u16,
                0..4_194_304_u32,
            ),
            (word(), any::<Option<i16>>(), any::<Option<i32>>()),
            (
                any::<Option<bool>>(),
                any::<Option<bool>>(),
                any::<Option<u32>>(),
                "[0-9]{0,5}",
            ),
        )
            .prop_map(
                |((key, device, name, kind, at), (description, least, most), last)| Row {
                    line: 0,
                    key,
                    device,
                    name,
                    object: ObjectId::new(ObjectType(kind), at),
                    description,
                    least: least.map(f64::from),
                    most: most.map(|x| f64::from(x) / 8.0),
                    settable: last.0,
                    cov: last.1,
                    states: last.2,
                    unit: last.3,
                },
            )
    }

    proptest! {
        #[test]
        fn any_text_is_a_list_or_an_error(text in "(?s).{0,300}") {
            let _any = (list(&text).is_ok(), texts(&text).is_ok());
            let _any = list(&format!("{EXAMPLE}{text}"));
        }

        #[test]
        fn what_is_written_reads_back(rows in prop::collection::vec(row(), 0..8), project in word()) {
            let mut seen = std::collections::HashSet::new();
            let rows: Vec<Row> = rows.into_iter().filter(|r| seen.insert((r.device, r.object))).collect();
            let before = List { project, rows, ..List::default() };
            let mut after = list(&written(&before)).unwrap();
            after.rows.iter_mut().for_each(|row| row.line = 0);
            prop_assert_eq!(after, before);
        }

        #[test]
        fn side_files_read_back(rows in prop::collection::btree_map(any::<u32>(), prop::collection::vec("[!-~ä]{1,9}", 1..5), 0..6)) {
            let written = written_texts("Code;Text", &rows);
            prop_assert_eq!(texts(&written).unwrap(), rows);
        }
    }
}
