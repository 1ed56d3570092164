// OpenDHT as a peer to measure against: an overlay of its nodes in this one process, in which one
// node gets what another has put. Run by `testbed bench dht`; see bench/overlay/opendht.rs.
//
//   opendht_bench NODES KEYS SECONDS
//
// Prints a JSON object a line: "ready", "put", "get" (one after another), "gets" (64 in flight).
// Its rate limits are off: they count requests per IP address, and here all have the same one.

#include <opendht.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr size_t VALUE_SIZE = 100;
constexpr size_t IN_FLIGHT = 64;
// OpenDHT keeps a value at the 8 nodes closest to its key.
constexpr size_t REPLICAS = 8;
// A node that knows as many others is in the overlay.
constexpr size_t ENOUGH_KNOWN = 3;
constexpr double CONNECT_LIMIT_S = 30;
// For as long nodes learn of each other; gets before that miss values.
constexpr double SETTLE_S = 12;
constexpr double ANSWER_LIMIT_S = 10;

double micros_since(Clock::time_point start) {
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double percentile(std::vector<double>& values, double share) {
    if (values.empty()) return -1;
    std::sort(values.begin(), values.end());
    return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
}

// The nodes, on loopback only.
class Overlay {
public:
    explicit Overlay(size_t size) {
        for (size_t i = 0; i < size; ++i) {
            dht::DhtRunner::Config config;
            config.threaded = true;
            config.bind4.setFamily(AF_INET);
            config.bind4.setAddress("127.0.0.1");
            config.bind4.setPort(0);
            auto& node = config.dht_config.node_config;
            node.network = 0x5c09e;
            node.is_bootstrap = i == 0;
            node.max_req_per_sec = -1;
            node.max_peer_req_per_sec = -1;
            node.max_searches = -1;
            auto runner = std::make_unique<dht::DhtRunner>();
            runner->run(config, {});
            if (i > 0) runner->bootstrap("127.0.0.1", std::to_string(nodes.front()->getBoundPort()));
            nodes.push_back(std::move(runner));
        }
    }

    // How many nodes know enough others, once all do and have settled, or the time is over.
    size_t connect() {
        auto start = Clock::now();
        auto wanted = std::min(ENOUGH_KNOWN, nodes.size() - 1);
        for (;;) {
            auto connected = std::count_if(nodes.begin(), nodes.end(), [&](auto& node) {
                return node->getNodesStats(AF_INET).good_nodes >= wanted;
            });
            bool all = static_cast<size_t>(connected) == nodes.size();
            auto passed = Seconds(Clock::now() - start).count();
            if ((all && passed > SETTLE_S) || passed > CONNECT_LIMIT_S) return connected;
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
    }

    dht::DhtRunner& reader() { return *nodes[1 % nodes.size()]; }
    dht::DhtRunner& writer() { return *nodes[2 % nodes.size()]; }

    // Whether the reader is among those that keep a key: it would not have to ask anybody.
    bool held_by_reader(const dht::InfoHash& key) {
        auto own = reader().getNodeId();
        auto closer = std::count_if(nodes.begin(), nodes.end(), [&](auto& node) {
            return key.xorCmp(node->getNodeId(), own) < 0;
        });
        return static_cast<size_t>(closer) < std::min(REPLICAS, nodes.size() - 1);
    }

private:
    std::vector<std::unique_ptr<dht::DhtRunner>> nodes;
};

// What one get came to.
struct Got {
    bool right;
    double took_us;
};

// Asks for a key; `finish` is told when OpenDHT says that it is done.
void ask(dht::DhtRunner& node, const dht::InfoHash& key, std::function<void(Got)> finish) {
    auto found = std::make_shared<std::atomic<bool>>(false);
    auto start = Clock::now();
    node.get(
        key,
        [found](const std::shared_ptr<dht::Value>& value) {
            if (value->data.size() == VALUE_SIZE) *found = true;
            return true;
        },
        [found, start, finish = std::move(finish)](bool) { finish({*found, micros_since(start)}); });
}

void put_each(Overlay& overlay, const std::vector<dht::InfoHash>& keys) {
    std::vector<double> times;
    for (const auto& key : keys) {
        auto done = std::make_shared<std::promise<bool>>();
        auto outcome = done->get_future();
        auto start = Clock::now();
        overlay.writer().put(key, std::make_shared<dht::Value>(std::vector<uint8_t>(VALUE_SIZE, 'v')),
                             [done](bool stored) { done->set_value(stored); });
        if (outcome.wait_for(Seconds(ANSWER_LIMIT_S)) == std::future_status::ready && outcome.get())
            times.push_back(micros_since(start));
    }
    auto p50 = percentile(times, 0.5);
    std::printf("{\"what\":\"put\",\"done\":%zu,\"p50_us\":%.1f}\n", times.size(), p50);
}

void get_one_by_one(Overlay& overlay, const std::vector<dht::InfoHash>& keys, double seconds) {
    std::vector<double> times;
    size_t asked = 0;
    auto start = Clock::now();
    while (Seconds(Clock::now() - start).count() < seconds) {
        auto done = std::make_shared<std::promise<Got>>();
        auto outcome = done->get_future();
        ask(overlay.reader(), keys[asked++ % keys.size()], [done](Got got) { done->set_value(got); });
        if (outcome.wait_for(Seconds(ANSWER_LIMIT_S)) != std::future_status::ready) continue;
        auto got = outcome.get();
        if (got.right) times.push_back(got.took_us);
    }
    auto right = times.size();
    auto p50 = percentile(times, 0.5), p99 = percentile(times, 0.99);
    std::printf("{\"what\":\"get\",\"asked\":%zu,\"right\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
                asked, right, p50, p99);
}

void get_at_once(Overlay& overlay, const std::vector<dht::InfoHash>& keys, double seconds) {
    struct Tally {
        std::mutex lock;
        std::condition_variable changed;
        size_t in_flight = 0, right = 0;
    };
    // Answers may come after the end, when nobody counts them any more.
    auto tally = std::make_shared<Tally>();
    size_t asked = 0;
    auto start = Clock::now();
    auto left = [&] { return Seconds(seconds) - (Clock::now() - start); };
    while (left().count() > 0) {
        {
            std::unique_lock<std::mutex> guard(tally->lock);
            auto room = [&] { return tally->in_flight < IN_FLIGHT; };
            if (!tally->changed.wait_for(guard, left(), room)) break;
            ++tally->in_flight;
        }
        ask(overlay.reader(), keys[asked++ % keys.size()], [tally](Got got) {
            std::lock_guard<std::mutex> guard(tally->lock);
            --tally->in_flight;
            tally->right += got.right;
            tally->changed.notify_one();
        });
    }
    std::lock_guard<std::mutex> guard(tally->lock);
    auto took = Seconds(Clock::now() - start).count();
    std::printf("{\"what\":\"gets\",\"asked\":%zu,\"right\":%zu,\"per_second\":%.1f}\n", asked,
                tally->right, static_cast<double>(tally->right) / took);
}

}  // namespace

int main(int count, char** words) {
    if (count != 4) {
        std::fprintf(stderr, "usage: opendht_bench NODES KEYS SECONDS\n");
        return 2;
    }
    const auto size = std::strtoul(words[1], nullptr, 10);
    const auto wanted = std::strtoul(words[2], nullptr, 10);
    const auto seconds = std::strtod(words[3], nullptr);
    if (size < 2 || wanted == 0) return 2;
    std::setvbuf(stdout, nullptr, _IOLBF, 0);

    auto start = Clock::now();
    Overlay overlay(size);
    auto connected = overlay.connect();
    std::printf("{\"what\":\"ready\",\"nodes\":%zu,\"connected\":%zu,\"seconds\":%.1f}\n",
                static_cast<size_t>(size), connected, micros_since(start) / 1e6);

    std::vector<dht::InfoHash> keys;
    for (size_t i = 0; keys.size() < wanted && i < 100 * wanted; ++i) {
        auto key = dht::InfoHash::get("key " + std::to_string(i));
        if (!overlay.held_by_reader(key)) keys.push_back(key);
    }
    if (keys.empty()) {
        std::fprintf(stderr, "the reader keeps every key: there are too few nodes\n");
        return 1;
    }
    put_each(overlay, keys);
    get_one_by_one(overlay, keys, seconds);
    get_at_once(overlay, keys, seconds);
    // Dozens of nodes take long to say goodbye, and nobody is left to hear it.
    std::_Exit(0);
}
