/* SPDX-License-Identifier: MIT */
/* The core's own JSON: agents, certificates, configuration. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quicms/version.h>

#include "base/clock.h"
#include "core/broker/stats_json.h"
#include "core/http/http_i.h"

static void base64(const uint8_t in[32], char *out)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0, at = 0; i < 33;
         i += 3) { /* the 33rd byte does not exist and counts as 0 */
        uint32_t last = i + 2 < 32 ? in[i + 2] : 0;
        uint32_t bits = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | last;
        for (int shift = 18; shift >= 0; shift -= 6) {
            out[at++] = digits[bits >> shift & 63];
        }
    }
    out[43] = '=';
    out[44] = 0;
}

static void hex(const uint8_t in[32], char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < 32; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[64] = 0;
}

/* "PREFIXsha256" and "PREFIXsha256_base64": people and pins use the one, pages the other. */
static void set_hash(json_t *object, const char *prefix, const uint8_t hash[32])
{
    char text[65], key[40];

    hex(hash, text);
    (void)snprintf(key, sizeof(key), "%ssha256", prefix);
    json_object_set_new(object, key, json_string(text));
    base64(hash, text);
    (void)snprintf(key, sizeof(key), "%ssha256_base64", prefix);
    json_object_set_new(object, key, json_string(text));
}

static json_t *listens_json(const struct qms_listen *listens, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_pack("{s:s, s:b, s:b}", "address", listens[i].text,
                                              "quic", listens[i].quic, "webtransport",
                                              listens[i].webtransport));
    }
    return list;
}

static json_t *certificate_json(const struct qms_server_conf *server)
{
    const struct qms_identity *id = server->identity;
    json_t *out = json_object();

    set_hash(out, "", id->hash);
    if (id->next_cert_pem.len > 0) {
        set_hash(out, "next_", id->next_hash);
        json_object_set_new(out, "next_at", json_integer(id->next_at));
    }
    json_object_set_new(out, "server", json_string(server->listens[0].text));
    json_object_set_new(out, "listens", listens_json(server->listens, server->listen_count));
    json_object_set_new(out, "tls", json_string(id->name));
    json_object_set_new(out, "self_signed", json_boolean(id->self_signed != 0));
    json_object_set_new(out, "not_before", json_integer(id->from));
    json_object_set_new(out, "not_after", json_integer(id->until));
    return out;
}

static json_t *certificates_json(const struct qms_conf *conf)
{
    json_t *list = json_array();

    for (size_t i = 0; i < conf->server_count; i++) {
        json_array_append_new(list, certificate_json(&conf->servers[i]));
    }
    return json_pack("{s:o}", "certificates", list);
}

static json_t *config_json(const struct qms_conf *conf)
{
    json_t *servers = json_array(), *modules = json_array();

    for (size_t i = 0; i < conf->server_count; i++) {
        const struct qms_server_conf *s = &conf->servers[i];
        json_t *locations = json_array();
        for (size_t l = 0; l < s->location_count; l++) {
            json_array_append_new(locations,
                                  json_pack("{s:s, s:b}", "path", s->locations[l].path,
                                            "webtransport", s->locations[l].webtransport != 0));
        }
        json_array_append_new(servers, json_pack("{s:o, s:o}", "listens",
                                                 listens_json(s->listens, s->listen_count),
                                                 "locations", locations));
    }
    for (size_t i = 0; i < conf->module_count; i++) {
        json_array_append_new(modules, json_string(conf->modules[i]->name));
    }
    return json_pack("{s:s, s:o, s:o}", "version", QUICMS_VERSION, "servers", servers,
                     "modules", modules);
}

void qms_http_json(struct qms_http *http, json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

    if (text == NULL) {
        qms_http_error(http, 500);
    } else {
        struct qms_bytes body = {(const uint8_t *)text, strlen(text)};
        qms_http_reply(http, 200, "application/json", body);
    }
    free(text);
    json_decref(json);
}

bool qms_http_api(struct qms_http *http, const char *path)
{
    struct qms_broker *broker = http->server->broker;
    const struct qms_conf *conf = qms_broker_conf(broker);

    if (strcmp(path, "/api/v1/agents") == 0) {
        qms_http_rows(http, QMS_ROWS_AGENTS);
    } else if (strcmp(path, "/api/v1/connections") == 0) {
        qms_http_rows(http, QMS_ROWS_CONNECTIONS);
    } else if (strcmp(path, "/api/v1/streams") == 0) {
        qms_http_rows(http, QMS_ROWS_STREAMS);
    } else if (strcmp(path, "/api/v1/routes") == 0) {
        qms_http_routes(http);
    } else if (strcmp(path, "/api/v1/workers") == 0) {
        qms_http_json(http,
                      json_pack("{s:o}", "workers", qms_workers_json(http->server->board)));
    } else if (strcmp(path, "/api/v1/stats") == 0) {
        qms_http_stats(http);
    } else if (strcmp(path, "/api/v1/cert") == 0) {
        /* Hashes of what every client is shown anyway: any page may read them. */
        evhttp_add_header(evhttp_request_get_output_headers(http->req),
                          "Access-Control-Allow-Origin", "*");
        qms_http_json(http, certificates_json(conf));
    } else if (strcmp(path, "/api/v1/config") == 0) {
        qms_http_json(http, config_json(conf));
    } else {
        return false;
    }
    return true;
}
