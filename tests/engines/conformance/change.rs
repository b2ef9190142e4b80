//! A role changes its level in place: name, password and open sessions stay.

use rdsaccess::access::Access;

use super::subject::{PASSWORD, Subject};
use super::{assert_complete, assert_settled, make};

pub(crate) async fn a_level_is_changed_in_place<S: Subject>() {
    let server = S::start().await;
    server.make_shop("app").await;
    let engine = server.engine();
    make(&*engine, &server.spec("hoop", Access::ReadOnly, &["app"])).await;
    let mut open = server.login("hoop", PASSWORD, "app").await.unwrap();
    let orders = S::table("app", "orders");
    let select = format!("SELECT * FROM {orders}");
    let insert = format!("INSERT INTO {orders} (id) VALUES (7)");
    let ways = [Access::ReadWrite, Access::Ddl, Access::ReadOnly, Access::Ddl, Access::ReadWrite, Access::ReadOnly];
    let mut before = Access::ReadOnly;
    for (step, access) in ways.into_iter().enumerate() {
        let spec = server.spec("hoop", access, &["app"]);
        assert_eq!(engine.read(&spec).await.unwrap().access, before, "{step}");
        let observed = engine.ensure(&spec, None).await.unwrap_or_else(|error| panic!("{step}: {error}"));
        assert_complete(&observed);
        assert_eq!(observed.access, access, "{step}");
        let create = format!("CREATE TABLE {} (id INT)", S::table("app", &format!("made_{step}")));
        let mut fresh = server.login("hoop", PASSWORD, "app").await.unwrap();
        for (sql, least) in [(&select, Access::ReadOnly), (&insert, Access::ReadWrite), (&create, Access::Ddl)] {
            let got = S::attempt(&mut fresh, sql).await;
            assert!(if access >= least { got.is_allowed() } else { got.is_denied() }, "{step} {access}: {sql}: {got}");
        }
        let got = S::attempt(&mut open, &select).await;
        assert!(got.is_allowed(), "{step} {access}: the open session: {got}");
        let got = S::attempt(&mut open, &insert).await;
        if S::OPEN_SESSIONS_FOLLOW {
            let may = access >= Access::ReadWrite;
            assert!(if may { got.is_allowed() } else { got.is_denied() }, "{step} {access}: the open session: {got}");
        } else {
            assert!(got.is_denied(), "{step}: an open session keeps the rights that it began with: {got}");
        }
        assert_settled(&server, &*engine, &spec).await;
        before = access;
    }
}
