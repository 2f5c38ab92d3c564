//! A conversation in octets, as `wire.txt` has it, and a peer that holds it.
//!
//! ```text
//! # a comment
//! > {t} 00 00 00 06 01 03 ..      what the adapter must send: hex, `..` any octet, `{t}` two octets kept
//! < {t} 00 00 00 05 01 03 02 00   what it gets: hex, `{t}` the octets kept
//! wait 50                         milliseconds
//! close                           the peer closes; the adapter must connect again
//! gone                            the adapter must close; then it must connect again
//! quiet 200                       the adapter must send nothing for so long
//! write ahu/setpoint 21.5         a command comes in; its result is in expected.jsonl
//! repeat 3 … end                  the lines between, so often
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// How long the adapter may take for each step.
const PATIENCE: Duration = Duration::from_secs(60);

/// One step with its line in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    line: usize,
    action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    Expect(Vec<Token>),
    Send(Vec<Token>),
    Wait(Duration),
    Close,
    Gone,
    Quiet(Duration),
    Write { path: String, value: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Octet(u8),
    Any,
    Kept(String),
}

/// Reads a script; the error names the line.
pub fn parse(text: &str) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    let mut repeat: Option<(usize, usize)> = None;
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.split('#').next().unwrap_or_default().trim();
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let wrong = |what: &str| format!("line {line}: {what}: {text}");
        let millis = || {
            rest.trim()
                .parse()
                .map(Duration::from_millis)
                .map_err(|_| wrong("no milliseconds"))
        };
        let action = match word {
            "" => continue,
            ">" => Action::Expect(tokens(rest).map_err(|e| wrong(&e))?),
            "<" => Action::Send(tokens(rest).map_err(|e| wrong(&e))?),
            "wait" => Action::Wait(millis()?),
            "quiet" => Action::Quiet(millis()?),
            "close" => Action::Close,
            "gone" => Action::Gone,
            "write" => {
                let (path, value) = rest.split_once(' ').ok_or_else(|| wrong("no value"))?;
                Action::Write {
                    path: path.to_owned(),
                    value: value.trim().to_owned(),
                }
            }
            "repeat" => {
                let times = rest.trim().parse().map_err(|_| wrong("no count"))?;
                repeat = Some((steps.len(), times));
                continue;
            }
            "end" => {
                let (from, times) = repeat.take().ok_or_else(|| wrong("no repeat before it"))?;
                let block = steps.split_off(from);
                (0..times).for_each(|_| steps.extend(block.iter().cloned()));
                continue;
            }
            _ => return Err(wrong("unknown step")),
        };
        steps.push(Step { line, action });
    }
    Ok(steps)
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    text.split_whitespace()
        .map(
            |word| match word.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
                Some(name) => Ok(Token::Kept(name.to_owned())),
                None if word == ".." => Ok(Token::Any),
                None => u8::from_str_radix(word, 16)
                    .map(Token::Octet)
                    .map_err(|_| format!("'{word}' is no octet")),
            },
        )
        .collect()
}

/// A command the script asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOrder {
    /// Which point.
    pub path: String,
    /// The value, as JSON.
    pub value: String,
}

/// Holds a conversation with whoever connects.
pub struct ScriptedPeer {
    listener: TcpListener,
    steps: Vec<Step>,
    writes: mpsc::Sender<WriteOrder>,
}

impl ScriptedPeer {
    /// Listens on a free port of loopback. Commands the script asks for come through the receiver.
    pub async fn new(steps: Vec<Step>) -> (Self, SocketAddr, mpsc::Receiver<WriteOrder>) {
        let listener = match TcpListener::bind("127.0.0.1:0").await {
            Ok(listener) => listener,
            Err(error) => panic!("the scripted peer could not listen: {error}"),
        };
        let Ok(address) = listener.local_addr() else {
            panic!("the scripted peer has no address");
        };
        let (writes, orders) = mpsc::channel(64);
        let peer = Self {
            listener,
            steps,
            writes,
        };
        (peer, address, orders)
    }

    /// Plays the script to its end and keeps the last connection open. The error names the line.
    pub async fn play(self) -> Result<Option<TcpStream>, String> {
        let mut stage = Stage {
            listener: self.listener,
            writes: self.writes,
            stream: None,
            kept: BTreeMap::new(),
        };
        for step in &self.steps {
            let done = tokio::time::timeout(PATIENCE, stage.act(&step.action)).await;
            match done {
                Ok(Ok(())) => {}
                Ok(Err(problem)) => return Err(format!("wire.txt line {}: {problem}", step.line)),
                Err(_) => {
                    return Err(format!(
                        "wire.txt line {}: nothing came within {} s",
                        step.line,
                        PATIENCE.as_secs()
                    ));
                }
            }
        }
        Ok(stage.stream)
    }
}

struct Stage {
    listener: TcpListener,
    writes: mpsc::Sender<WriteOrder>,
    stream: Option<TcpStream>,
    kept: BTreeMap<String, [u8; 2]>,
}

impl Stage {
    async fn stream(&mut self) -> Result<&mut TcpStream, String> {
        if self.stream.is_none() {
            let (stream, _) = self.listener.accept().await.map_err(|e| e.to_string())?;
            stream.set_nodelay(true).map_err(|e| e.to_string())?;
            self.stream = Some(stream);
        }
        self.stream
            .as_mut()
            .ok_or_else(|| "no connection".to_owned())
    }

    async fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Expect(tokens) => self.expect(tokens).await,
            Action::Send(tokens) => {
                let octets = self.fill(tokens)?;
                let stream = self.stream().await?;
                stream
                    .write_all(&octets)
                    .await
                    .map_err(|e| format!("could not send: {e}"))
            }
            Action::Wait(time) => {
                tokio::time::sleep(*time).await;
                Ok(())
            }
            Action::Close => {
                self.stream = None;
                Ok(())
            }
            Action::Gone => {
                let mut rest = Vec::new();
                // A reset ends the connection as well as a close does.
                let _reset = self.stream().await?.read_to_end(&mut rest).await;
                self.stream = None;
                if rest.is_empty() {
                    Ok(())
                } else {
                    Err(format!(
                        "the adapter sent {} instead of closing",
                        hex(&rest)
                    ))
                }
            }
            Action::Quiet(time) => {
                let mut octets = [0; 64];
                let read = self.stream().await?.read(&mut octets);
                match tokio::time::timeout(*time, read).await {
                    Err(_) => Ok(()),
                    Ok(Ok(0)) => Err("the adapter closed the connection".to_owned()),
                    Ok(Ok(n)) => Err(format!("the adapter sent {}", hex(&octets[..n]))),
                    Ok(Err(error)) => Err(error.to_string()),
                }
            }
            Action::Write { path, value } => {
                let order = WriteOrder {
                    path: path.clone(),
                    value: value.clone(),
                };
                let taken = self.writes.send(order).await;
                taken.map_err(|_| "nobody takes commands".to_owned())
            }
        }
    }

    async fn expect(&mut self, tokens: &[Token]) -> Result<(), String> {
        let length: usize = tokens
            .iter()
            .map(|t| if matches!(t, Token::Kept(_)) { 2 } else { 1 })
            .sum();
        let mut octets = vec![0; length];
        let stream = self.stream().await?;
        let mut got = 0;
        while got < length {
            match stream.read(&mut octets[got..]).await {
                Ok(0) => return Err(format!("the adapter closed after {}", hex(&octets[..got]))),
                Ok(n) => got += n,
                Err(error) => return Err(format!("{error} after {}", hex(&octets[..got]))),
            }
            self::matches(tokens, &octets[..got])?;
        }
        let mut at = 0;
        for token in tokens {
            if let Token::Kept(name) = token {
                self.kept.insert(name.clone(), [octets[at], octets[at + 1]]);
                at += 1;
            }
            at += 1;
        }
        Ok(())
    }

    fn fill(&self, tokens: &[Token]) -> Result<Vec<u8>, String> {
        let mut octets = Vec::new();
        for token in tokens {
            match token {
                Token::Octet(octet) => octets.push(*octet),
                Token::Any => return Err("'..' cannot be sent".to_owned()),
                Token::Kept(name) => octets.extend(
                    self.kept
                        .get(name)
                        .ok_or_else(|| format!("nothing was kept as {{{name}}}"))?,
                ),
            }
        }
        Ok(octets)
    }
}

fn matches(tokens: &[Token], octets: &[u8]) -> Result<(), String> {
    let mut at = 0;
    for token in tokens {
        if let (Token::Octet(wanted), Some(got)) = (token, octets.get(at))
            && wanted != got
        {
            return Err(format!(
                "octet {at} is {got:02x} and should be {wanted:02x}: {}",
                hex(octets)
            ));
        }
        at += if matches!(token, Token::Kept(_)) {
            2
        } else {
            1
        };
    }
    Ok(())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|o| format!("{o:02x} ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_line_by_line() {
        let steps =
            parse("# nothing\n> {t} 0a ..\nrepeat 2\n< {t} ff # comment\nend\nwait 5\n").unwrap();
        assert_eq!(steps.len(), 4);
        assert_eq!(steps[3].action, Action::Wait(Duration::from_millis(5)));
        assert!(parse("> xyz").unwrap_err().contains("line 1"));
        assert!(parse("dance").unwrap_err().contains("unknown step"));
    }

    #[tokio::test]
    async fn what_differs_is_named_with_its_line() {
        let steps = parse("> {t} 01\n< {t} 02\n> 03").unwrap();
        let (peer, address, _orders) = ScriptedPeer::new(steps).await;
        let played = tokio::spawn(peer.play());
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[9, 8, 1]).await.unwrap();
        let mut answer = [0; 3];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, [9, 8, 2]);
        stream.write_all(&[4]).await.unwrap();
        let problem = played.await.unwrap().unwrap_err();
        assert!(
            problem.contains("line 3") && problem.contains("04"),
            "{problem}"
        );
    }
}
