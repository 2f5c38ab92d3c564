//! The samples of a point as a table to take away. Owns the columns and how the history is
//! walked for it: in pages, as the client takes them, so a year needs no more memory than an hour.

use super::extract::{AtPoint, Params};
use super::points::range;
use crate::face::Face;
use crate::refusal::Refusal;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use riser_model::{Level, PointPath, Sample, Timestamp, csv_value};
use riser_runtime::{ReadError, Runtime};
use serde::Deserialize;
use std::fmt::Write;
use utoipa::IntoParams;

/// Samples of one page.
const PAGE: usize = 5_000;

/// Which stretch of time.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    /// Start, inclusive; a day before the end if absent.
    #[param(value_type = Option<i64>)]
    from: Option<Timestamp>,
    /// End, exclusive; now if absent.
    #[param(value_type = Option<i64>)]
    to: Option<Timestamp>,
}

/// Every stored sample of a point as CSV
///
/// Columns: `at` (milliseconds), `time` (UTC), `value` (empty where unknown), `quality`, `reason`.
#[utoipa::path(get, path = "/api/v1/points/{device}/{point}/samples.csv", tag = "points",
    params(("device" = String, Path), ("point" = String, Path), ExportQuery),
    responses((status = 200, body = String, content_type = "text/csv")))]
pub(super) async fn samples_csv(
    State(face): State<Face>,
    AtPoint(path): AtPoint,
    Params(query): Params<ExportQuery>,
) -> Result<Response, Refusal> {
    let (from, to) = range(&face, query.from, query.to)?;
    let pages = Pages {
        runtime: face.runtime().clone(),
        path: path.clone(),
        next: Some(from),
        to,
    };
    // The first page is read before answering, so an error still gets a proper status.
    let (first, pages) = pages.read().await?;
    let head = Bytes::from(format!("at,time,value,quality,reason\r\n{first}"));
    let rest = stream::try_unfold(pages, |pages| async move {
        if pages.next.is_none() {
            return Ok::<_, ReadError>(None);
        }
        let (text, pages) = pages.read().await?;
        Ok(Some((Bytes::from(text), pages)))
    });
    let start = stream::iter([Ok::<_, ReadError>(head)]);
    let body = Body::from_stream(futures_util::StreamExt::chain(start, rest));
    let name = format!(
        "attachment; filename=\"{}_{}.csv\"",
        path.device, path.point
    );
    let name = HeaderValue::try_from(name).map_err(|e| Refusal::internal(&e.to_string()))?;
    let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, body).into_response())
}

/// Where an export stands.
struct Pages {
    runtime: Runtime,
    path: PointPath,
    /// Where the next page begins; `None` after the last.
    next: Option<Timestamp>,
    to: Timestamp,
}

impl Pages {
    async fn read(mut self) -> Result<(String, Self), ReadError> {
        let Some(from) = self.next else {
            return Ok((String::new(), self));
        };
        let mut samples = self
            .runtime
            .samples(&self.path, from, self.to, PAGE)
            .await?;
        self.next = (samples.len() >= PAGE)
            .then(|| page_end(&mut samples))
            .flatten();
        let mut text = String::new();
        for sample in &samples {
            row(&mut text, sample);
        }
        Ok((text, self))
    }
}

/// Cuts a full page before its last instant, of which more may follow, and says where the next one
/// begins. A page of one single instant is kept whole.
fn page_end(samples: &mut Vec<Sample>) -> Option<Timestamp> {
    let last = samples.last()?.at;
    let whole = samples.iter().take_while(|s| s.at < last).count();
    if whole == 0 {
        return Some(Timestamp(last.0.saturating_add(1)));
    }
    samples.truncate(whole);
    Some(last)
}

fn row(text: &mut String, sample: &Sample) {
    let level = match sample.quality.level {
        Level::Good => "good",
        Level::Uncertain => "uncertain",
        Level::Bad => "bad",
    };
    let reason = sample
        .quality
        .reason
        .and_then(|r| serde_json::to_value(r).ok());
    let reason = reason.as_ref().and_then(|r| r.as_str()).unwrap_or_default();
    // Writing into a String cannot fail.
    let _ = write!(text, "{},{},", sample.at.0, utc(sample.at));
    csv_value(sample.value.as_ref(), text);
    let _ = write!(text, ",{level},{reason}\r\n");
}

/// ISO 8601, for people and spreadsheets.
pub(super) fn utc(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map_or_else(|_| String::new(), |time| format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use riser_model::{Quality, Reason, Slot, Value};

    fn sample(at: i64, value: Option<Value>, quality: Quality) -> Sample {
        Sample {
            slot: Slot(0),
            at: Timestamp(at),
            value,
            quality,
        }
    }

    #[test]
    fn rows_keep_unknown_apart_from_zero_and_defuse_formulas() {
        let mut text = String::new();
        row(
            &mut text,
            &sample(0, Some(Value::Float(0.0)), Quality::GOOD),
        );
        row(
            &mut text,
            &sample(1500, None, Quality::bad(Reason::DeviceDown)),
        );
        row(
            &mut text,
            &sample(2000, Some(Value::text("=1+\"x\"")), Quality::GOOD),
        );
        assert_eq!(
            text,
            "0,1970-01-01T00:00:00.000Z,0,good,\r\n\
             1500,1970-01-01T00:00:01.500Z,,bad,device_down\r\n\
             2000,1970-01-01T00:00:02.000Z,\"'=1+\"\"x\"\"\",good,\r\n"
        );
    }

    #[test]
    fn pages_never_cut_an_instant_in_two() {
        let at = |times: &[i64]| -> Vec<Sample> {
            times
                .iter()
                .map(|t| sample(*t, None, Quality::GOOD))
                .collect()
        };
        let mut page = at(&[1, 2, 3, 3]);
        assert_eq!(page_end(&mut page), Some(Timestamp(3)));
        assert_eq!(page.len(), 2);
        let mut page = at(&[7, 7]);
        assert_eq!(page_end(&mut page), Some(Timestamp(8)));
        assert_eq!(page.len(), 2);
    }
}
