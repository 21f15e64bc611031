#include "core/store/kafka/errors.h"

#include <librdkafka/rdkafka.h>

#include "core/base/text.h"

namespace ysdb::kafka {

namespace {

bool is_login(int code) {
    return code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM || code == RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE;
}

bool is_transport(int code) {
    return code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__TIMED_OUT ||
           code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE || code == RD_KAFKA_RESP_ERR__RESOLVE ||
           code == RD_KAFKA_RESP_ERR__SSL || code == RD_KAFKA_RESP_ERR__WAIT_COORD || code == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT ||
           code == RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION;
}

bool passes_by_itself(int code) {
    return code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS || code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
           code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR || code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
           code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION || code == RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS ||
           code == RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND || code == RD_KAFKA_RESP_ERR_NOT_CONTROLLER ||
           code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS || code == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED;   // who was away for long joins anew
}

// The library's sentences begin with a capital; the names in them keep theirs.
std::string sentence(std::string text) {
    if (text.size() > 1 && lower(text.substr(1, 1)) == text.substr(1, 1)) text[0] = lower(text.substr(0, 1))[0];
    return text;
}

std::string hint_for(int code, const std::string& store) {
    switch (code) {
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED: return "grant the right to the user of [stores." + store + "]";
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: return "create the topic first, or correct its name";
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: return "raise message.max.bytes here and max.message.bytes of the topic";
        case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR: return "there are fewer brokers than replicas asked for";
        case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
        case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND: return "fewer replicas are in sync than min.insync.replicas demands: bring the brokers back";
        default: return passes_by_itself(code) ? "run the same command again" : "";
    }
}

}  // namespace

Error connect_error(const Target& target, const std::string& reason, std::string hint, bool retryable) {
    if (hint.empty()) hint = "is the broker running, and is the url right? try: ysdb doctor";
    return Error(Code::connect, "store '" + target.store + "': cannot connect to " + target.redacted_url + ": " + reason, std::move(hint)).with_retryable(retryable);
}

Error kafka_error(const Target& target, const std::string& doing, int code, const std::string& text) {
    const auto err = static_cast<rd_kafka_resp_err_t>(code);
    const std::string name = rd_kafka_err2name(err);
    if (is_login(code)) {
        return connect_error(target, "the broker refused the login", "check the user, password_file and sasl_mechanism of [stores." + target.store + "]", false).with_server_code(name);
    }
    const std::string message = "store '" + target.store + "': " + doing + ": " + sentence(text.empty() ? rd_kafka_err2str(err) : text);
    if (is_transport(code)) return Error(Code::connect, message, "are the brokers up and reachable at the addresses they advertise?").with_server_code(name).with_retryable();
    return Error(Code::rejected, message, hint_for(code, target.store)).with_server_code(name).with_retryable(passes_by_itself(code));
}

Error timeout_error(const Target& target, const std::string& doing) {
    return Error(Code::connect, "store '" + target.store + "': no answer in time: " + doing, "is the cluster overloaded or without a controller? raise --timeout if it is only slow")
        .with_retryable();
}

}  // namespace ysdb::kafka
