//! What docs/migration.md shows: the proxy in front of WebSockets, directives that exist, and those that do not
//! any more.

use crate::support::Nginx;

const PAGE: &str = include_str!("../../docs/migration.md");

/// The one block of this language with this text.
fn block(language: &str, text: &str) -> &'static str {
    let begin = format!("```{language}\n");
    let mut blocks = PAGE.split(begin.as_str()).skip(1);
    let block = blocks.find(|block| block.split("```").next().is_some_and(|it| it.contains(text)));
    block.and_then(|block| block.split("```").next()).expect("a block")
}

/// The directives of the first column of a table that begins with this head.
fn first_column(head: &str) -> Vec<String> {
    let table = PAGE.split(head).nth(1).expect("a table");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').nth(1).expect("a cell"));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// WS-18: the block for a proxy, in front of a location with a ping; messages pass both ways.
#[tokio::test]
async fn the_proxy() {
    let nginx =
        Nginx::builder().websocket("ws", "push_stream_websocket_allow_publish on;").start().await;
    let page = block("nginx", "proxy_pass")
        .replace("http://127.0.0.1:8080", &format!("http://127.0.0.1:{}", nginx.port));
    let (map, server) = page.split_once("server {").expect("a map, and a server");
    let location = server.split_once("listen 80;").expect("the default port").1;
    let location = location.trim_end().strip_suffix('}').expect("the end of the server");
    let proxy = Nginx::builder().no_module().http(map).server(location).start().await;

    let mut socket = proxy.socket("/ws/a").await;
    nginx.publish_live("a", "from a publisher").await;
    assert_eq!(socket.frame().await.payload, b"from a publisher");
    socket.send(0x81, "from the client").await;
    assert_eq!(socket.frame().await.payload, b"from the client");
}

/// The names of before 2013 are refused as unknown, and what the page puts in their place is not.
#[test]
fn old_names() {
    let old = first_column("| then | now |");
    assert!(old.len() > 8, "{old:?}");
    for written in old {
        if written.starts_with("set ") {
            continue;
        }
        let directive = match written.ends_with(';') {
            true => written,
            false => format!("{written} 1;"),
        };
        let name = directive.split([' ', ';']).next().expect("a name");
        let checked = Nginx::builder().http(&directive).check();
        let unknown = format!("unknown directive \"{name}\"");
        assert!(
            !checked.ok && checked.output.contains(&unknown),
            "{directive}: {}",
            checked.output
        );
    }
}
