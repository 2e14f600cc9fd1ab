//! The yardstick: a hyper server that reads a request to its end and gives every one the same
//! answer. It is started as the core is, a process with a thread a processor, and its connections
//! are dealt out in turn, so that nothing but the work on a request differs.

use std::convert::Infallible;
use std::io;
use std::process::Command;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::process::Process;

/// The argument that makes this program the server.
pub(crate) const ARGUMENT: &str = "fixed-reply";

/// The server in a process of its own.
pub(crate) struct Fixed {
    pub(crate) process: Process,
    pub(crate) url: String,
}

impl Fixed {
    /// Starts one whose answers are as long as those of the core.
    pub(crate) fn start(answer_bytes: usize) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program);
        command.arg(ARGUMENT).arg(answer_bytes.to_string());
        let mut process = Process::start(&mut command);
        let url = process.line().trim_end().to_owned();
        Self { process, url }
    }
}

/// Serves until the process is killed.
pub(crate) fn serve(answer_bytes: usize) -> io::Result<()> {
    let answer = Bytes::from(vec![b'x'; answer_bytes]);
    let threads = std::thread::available_parallelism()?.get();
    let mut inboxes = Vec::with_capacity(threads);
    for _ in 0..threads {
        let (inbox, arrivals) = unbounded_channel();
        let answer = answer.clone();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || runtime.block_on(work(arrivals, answer)));
        inboxes.push(inbox);
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("http://{}/", listener.local_addr()?);
        for inbox in inboxes.iter().cycle() {
            let (stream, _peer) = listener.accept().await?;
            if inbox.send(stream.into_std()?).is_err() {
                break;
            }
        }
        Ok(())
    })
}

async fn work(mut arrivals: UnboundedReceiver<std::net::TcpStream>, answer: Bytes) {
    while let Some(stream) = arrivals.recv().await {
        let answer = answer.clone();
        tokio::spawn(async move {
            let stream = tokio::net::TcpStream::from_std(stream)?;
            stream.set_nodelay(true)?;
            let service = service_fn(|request| fixed(request, answer.clone()));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            // A client that goes away in the middle is no concern of a yardstick.
            drop(connection.await);
            io::Result::Ok(())
        });
    }
}

async fn fixed(
    request: Request<Incoming>,
    answer: Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    drop(request.into_body().collect().await);
    let mut response = Response::new(Full::new(answer));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static(protocol::syncml::CONTENT_TYPE),
    );
    Ok(response)
}
