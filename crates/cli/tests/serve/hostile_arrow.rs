//! Arrow streams that are cut off, changed, or mean far more than they hold.

use arrow_array::{
    ArrayRef, DictionaryArray, NullArray, RecordBatch, StringArray, types::Int32Type,
};

use crate::hostile::{ARROW, refused, server};
use crate::server::{Response, predict};

pub(crate) fn arrow(batch: &RecordBatch) -> Vec<u8> {
    let writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema());
    let mut writer = writer.expect("writes");
    writer.write(batch).expect("writes");
    writer.into_inner().expect("writes")
}

pub(crate) fn texts(rows: usize) -> RecordBatch {
    let column = || -> ArrayRef { std::sync::Arc::new(StringArray::from(vec!["1"; rows])) };
    RecordBatch::try_from_iter([("a", column()), ("b", column())]).expect("a batch")
}

#[test]
fn arrow_that_is_cut_off_or_changed_is_refused() {
    let (_folder, server) = server("");
    let whole = arrow(&texts(20));
    assert_eq!(server.send(&predict(ARROW, &whole)).status, 200);
    let start = "the body is no Arrow IPC stream: ";
    assert_eq!(refused(&server, ARROW, "", 400), format!("{start}it has no schema"));
    let mut connection = server.connect();
    let mut check = |bytes: &[u8], what: String| {
        let response: Response = connection.send(&predict(ARROW, bytes));
        assert!([200, 400, 413, 422].contains(&response.status), "{what}: {}", response.text());
        response.status
    };
    for end in (0..whole.len() - 8).step_by(3) {
        let status = check(&whole[..end], format!("{end} bytes"));
        // Between two messages a stream may end.
        assert!(status == 400 || status == 200, "{end} bytes");
    }
    let mut changed = whole.clone();
    for at in 0..whole.len() {
        for byte in [0, 0x7f, 0xff] {
            changed[at] = byte;
            check(&changed, format!("byte {at} as {byte}"));
        }
        changed[at] = whole[at];
    }
    server.answers();
}

#[test]
fn arrow_that_means_far_more_than_it_holds_is_refused_or_done_in_parts() {
    let (_folder, server) = server("");
    // Rows beyond all limits, of nothing.
    let nothing = || -> ArrayRef { std::sync::Arc::new(NullArray::new(1 << 40)) };
    let batch = RecordBatch::try_from_iter([("a", nothing()), ("b", nothing())]).unwrap();
    let detail = "more than 100000 rows, send them in several requests";
    assert_eq!(refused(&server, ARROW, arrow(&batch), 413), detail);
    // A hundred thousand times one text of a megabyte would be 100 GB.
    let long = "1".repeat(1 << 20);
    let keys = arrow_array::Int32Array::from(vec![0; 100_000]);
    let values = StringArray::from(vec![long.as_str()]);
    let texts = DictionaryArray::<Int32Type>::new(keys, std::sync::Arc::new(values));
    let texts: ArrayRef = std::sync::Arc::new(texts);
    let batch = RecordBatch::try_from_iter([("a", texts.clone()), ("b", texts)]).unwrap();
    let response = server.send(&predict(ARROW, arrow(&batch)));
    assert_eq!(response.json()["errors"].as_array().map(Vec::len), Some(100));
    server.answers();
}
