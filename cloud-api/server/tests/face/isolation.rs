//! Two tenants with gateways of the same name never see each other's content.

use crate::site::{Site, T0, key, origin};
use riser_model::{Quality, Reading, Role, ScanBatch, Slot, Timestamp, Value};
use serde_json::Value as Json;

async fn reading(site: &Site, tenant: &str, value: f64) {
    let readings = vec![Reading {
        slot: Slot(0),
        value: Some(Value::Float(value)),
        quality: Quality::GOOD,
    }];
    let at = Timestamp(T0 - 5000);
    let origin = origin(tenant, "gw-001");
    site.data(&origin, vec![ScanBatch { at, readings }]).await;
}

const POINT: &str = "/api/v1/gateways/gw-001/points/ahu-1/supply_temp";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_name_means_each_tenants_own() {
    let site = Site::with_gateways().await;
    reading(&site, "acme", 11.0).await;
    reading(&site, "beta", 22.0).await;
    for (tenant, value) in [("acme", 11.0), ("beta", 22.0)] {
        let token = site.token(Role::TenantAdmin, Some(tenant));
        let (_, point) = site.get(&token, POINT).await;
        assert_eq!(point["view"]["value"], value);
        let (_, list) = site
            .get(&token, "/api/v1/gateways/gw-001/points?search=SUPPLY")
            .await;
        assert_eq!(
            (&list["total"], &list["points"][0]["value"]),
            (&1.into(), &value.into())
        );
        let (_, samples) = site.get(&token, &format!("{POINT}/samples?to={T0}")).await;
        assert_eq!(samples["samples"].as_array().unwrap().len(), 1);
        assert_eq!(samples["samples"][0]["value"], value);
        let (_, trend) = site
            .get(&token, &format!("{POINT}/trend?to={T0}&buckets=1"))
            .await;
        assert_eq!(
            (&trend["buckets"][0]["mean"], &trend["buckets"][0]["count"]),
            (&value.into(), &1.into())
        );
        let (_, gateways) = site.get(&token, "/api/v1/gateways").await;
        assert_eq!(names(&gateways["gateways"], "tenant"), vec![tenant; 2]);
        let (_, tenants) = site.get(&token, "/api/v1/tenants").await;
        assert_eq!(names(&tenants["tenants"], "id"), vec![tenant]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sees_all_names_the_tenant_where_the_name_is_not_enough() {
    let site = Site::with_gateways().await;
    reading(&site, "beta", 22.0).await;
    let admin = site.token(Role::SystemAdmin, None);
    let (_, gateways) = site.get(&admin, "/api/v1/gateways").await;
    assert_eq!(
        names(&gateways["gateways"], "tenant"),
        ["acme", "acme", "beta", "beta"]
    );
    let (status, error) = site.get(&admin, POINT).await;
    assert_eq!(status, 400, "{error}");
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("?tenant="),
        "{error}"
    );
    let (status, point) = site.get(&admin, &format!("{POINT}?tenant=beta")).await;
    assert_eq!((status, &point["view"]["value"]), (200, &22.0.into()));
    let (status, _) = site.get(&admin, "/api/v1/gateways/gw-beta").await;
    assert_eq!(status, 200);
    let (status, _) = site.get(&admin, "/api/v1/gateways?tenant=nobody").await;
    assert_eq!(status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenants_object_and_no_object_answer_alike() {
    let site = Site::with_gateways().await;
    let token = site.token(Role::TenantAdmin, Some("acme"));
    let (status, foreign) = site.get(&token, "/api/v1/gateways/gw-beta").await;
    let (_, nothing) = site.get(&token, "/api/v1/gateways/gw-none").await;
    assert_eq!(status, 404);
    let text = |e: &Json| e["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(text(&foreign).replace("gw-beta", "gw-none"), text(&nothing));
    for path in [
        "/api/v1/gateways/GW+1",
        "/api/v1/gateways/%2e%2e",
        "/api/v1/tenants/%00",
    ] {
        assert_eq!(site.get(&token, path).await.0, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_value_of_a_gateway_that_is_away_is_the_last_one_known() {
    let site = Site::with_gateways().await;
    reading(&site, "acme", 11.0).await;
    let token = site.token(Role::Viewer, Some("acme"));
    let (_, point) = site.get(&token, POINT).await;
    assert_eq!(point["view"]["quality"]["level"], "good");
    let gone = origin("acme", "gw-001");
    site.db
        .gateway_disconnected(&gone, site.now())
        .await
        .unwrap();
    let (_, point) = site.get(&token, POINT).await;
    assert_eq!(point["view"]["quality"]["level"], "uncertain");
    assert_eq!(point["view"]["quality"]["reason"], "stale");
    assert_eq!(point["view"]["value"], 11.0);
    let (_, gateway) = site.get(&token, "/api/v1/gateways/gw-001").await;
    assert_eq!(
        (&gateway["connected"], &gateway["points"]),
        (&false.into(), &5.into())
    );
    assert_eq!(key("gw-001").as_str(), gateway["id"]);
}

fn names<'a>(list: &'a Json, field: &str) -> Vec<&'a str> {
    let list = list.as_array().unwrap();
    list.iter()
        .map(|item| item[field].as_str().unwrap())
        .collect()
}
