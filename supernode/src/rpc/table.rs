//! Every method: its parameters, what it returns, what it does. The one place this is stated;
//! parameter checks, introspection, metrics and `docs/reference/xml-rpc.md` are made from it.

/// A method that can be called.
#[derive(Debug)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Its parameters: name and XML-RPC type.
    pub(crate) params: &'static [(&'static str, &'static str)],
    /// How many of them, from the front, must be given.
    pub(crate) required: usize,
    /// The XML-RPC type it returns.
    pub(crate) returns: &'static str,
    /// What it does, for people.
    pub(crate) help: &'static str,
}

/// All methods, in the order in which they are listed.
pub const METHODS: [Method; 20] = [
    Method {
        name: "scope.put",
        params: &[
            ("key", "base64"),
            ("value", "base64"),
            ("secret", "base64"),
            ("ttl", "int"),
            ("service", "string"),
        ],
        required: 2,
        returns: "struct",
        help: "Puts a value under a key for ttl seconds (a day if not given). Putting it again \
               starts a new life, putting it after a removal brings it back. With a secret, only \
               who knows the secret can remove it; an empty secret is none. With a service the key is \
               one of its own: no other service's, and none without a service, is the same. Under \
               a service's own name there is room for 256 values, then fault 4: \
               scope.advertise finds room for more. Returns replicas, the copies on disk when the \
               put was acknowledged, and latency_ms.",
    },
    Method {
        name: "scope.get",
        params: &[
            ("key", "base64"),
            ("max", "int"),
            ("placemark", "base64"),
            ("service", "string"),
        ],
        required: 1,
        returns: "array",
        help: "Returns all values under a key, as base64. With max, returns at most that many and \
               a placemark: [values, placemark]; the placemark, given with the next call, at this \
               node or any other, goes on from there. An empty placemark starts and ends a listing.",
    },
    Method {
        name: "scope.remove",
        params: &[
            ("key", "base64"),
            ("value", "base64"),
            ("secret", "base64"),
            ("ttl", "int"),
            ("service", "string"),
        ],
        required: 2,
        returns: "int",
        help: "Removes a value from a key: the one put with this secret, or, without one, the one \
               put without. Returns 1 if it was there and 0 if not; fault 7 if it is there under \
               other secrets only. The removal is remembered for seven days whatever the ttl.",
    },
    Method {
        name: "scope.watch",
        params: &[
            ("key", "base64"),
            ("cursor", "base64"),
            ("timeout", "int"),
            ("service", "string"),
        ],
        required: 3,
        returns: "array",
        help: "Waits until the values under a key are others than at cursor, for at most timeout \
               seconds (0 to 300), and returns them all and a cursor: [values, cursor], at once if \
               cursor is empty or of another state. After timeout it returns them as they are. \
               Call it again with the cursor it returned: nothing that lasts is missed between, \
               whichever super-node changes it. A value that is put again, or expires, is a change.",
    },
    Method {
        name: "scope.services",
        params: &[],
        required: 0,
        returns: "array",
        help: "Returns the Service-IDs of all services that somebody offers, as strings.",
    },
    Method {
        name: "scope.lookup",
        params: &[("service", "string"), ("max", "int"), ("placemark", "base64")],
        required: 1,
        returns: "array",
        help: "Returns contacts, HOST:PORT, of those who offer a service, as strings: at most 256, and \
               what was put plainly under its name and is a contact. With max, returns at \
               most that many and a placemark: [contacts, placemark]; the placemark, given with the \
               next call, at this node or any other, goes on from there, perhaps with none at \
               first. An empty placemark starts and ends a listing.",
    },
    Method {
        name: "scope.advertise",
        params: &[("service", "string"), ("contact", "string"), ("ttl", "int")],
        required: 2,
        returns: "int",
        help: "Offers a service at a contact, HOST:PORT, for ttl seconds (a day if not given). This node \
               renews it until then; should the node die it is gone within 60 s. A Service-ID is 1 to 64 \
               bytes of letters, digits and ASCII punctuation, of one script, and looks like no \
               other there is. Returns 1.",
    },
    Method {
        name: "scope.withdraw",
        params: &[("service", "string"), ("contact", "string")],
        required: 2,
        returns: "int",
        help: "Offers a service at a contact no more, at once: for who advertised it, at the node that \
               was asked to. Returns 1 if it was offered and 0 if not; fault 7 if others offer it.",
    },
    Method {
        name: "scope.name",
        params: &[("name", "string"), ("key", "string")],
        required: 1,
        returns: "struct",
        help: "Returns who has a name: name, as it is normalised; holder, if somebody has it, \
               confirmed; others, an array of all others that claim it or a name that looks like it, \
               the first in order first: losers, if there is a holder. Each is a struct: name, as \
               the claimant spells it; tagged, as a loser is shown; key, in hexadecimal; \
               fingerprint; held_s, for how long; signed, the claim in its canonical bytes. With a \
               key, of the asker, next is the least sequence its next claim may have, as a string.",
    },
    Method {
        name: "scope.claim",
        params: &[("name", "string"), ("signed", "base64")],
        required: 2,
        returns: "int",
        help: "Puts a claim of a name, or its withdrawal, that the claimant signed: its canonical bytes. \
               Returns the copies on disk. Who has the name is decided some two seconds later; \
               scope.name says so. Fault 7 if somebody else has it or is about to, or if the claimant \
               has signed a newer claim; fault 2 if it is no claim of this name, or not signed by who \
               it says. It lives for the ttl that was signed; to keep the name, claim again before.",
    },
    Method {
        name: "scope.phone",
        params: &[
            ("name", "string"),
            ("key", "string"),
            ("salt", "base64"),
            ("md5", "base64"),
            ("sha256", "base64"),
        ],
        required: 2,
        returns: "struct",
        help: "For who has a name, and has this public key, in hexadecimal: returns salt, which of the \
               key's phone passwords protects the name, if one does, and next, the least sequence \
               the key's next record may have, as a string. With a salt of 8 bytes and the digest \
               hashes of name, realm (scope) and password, returns body, too: what to sign and give \
               to scope.protect, sealed if the overlay has a passphrase.",
    },
    Method {
        name: "scope.protect",
        params: &[("name", "string"), ("signed", "base64")],
        required: 2,
        returns: "int",
        help: "Protects a name by a phone password, or opens it: signed is a signed entry with a body of \
               scope.phone's, or its removal, in its canonical bytes, under the name's key that is the \
               super-nodes' own. Nobody can read it back. Returns the copies on disk. Fault 7 if who \
               signed it does not have the name, or has signed a newer one; fault 2 if it is no such \
               record. It counts while its signer has the name, for the ttl that was signed.",
    },
    Method {
        name: "put",
        params: &[
            ("key", "base64"),
            ("value", "base64"),
            ("ttl", "int"),
            ("application", "string"),
        ],
        required: 4,
        returns: "int",
        help: "OpenDHT's put: key at most 20 bytes, value at most 1024, ttl at most 604800 s, more \
               is taken for that. Returns 0 stored, 1 over capacity, 2 try again.",
    },
    Method {
        name: "put_removable",
        params: &[
            ("key", "base64"),
            ("value", "base64"),
            ("hash_algorithm", "string"),
            ("secret_hash", "base64"),
            ("ttl", "int"),
            ("application", "string"),
        ],
        required: 6,
        returns: "int",
        help: "OpenDHT's put of a value that can be removed: hash_algorithm is SHA, secret_hash \
               the SHA-1 of the secret. Returns 0 stored, 1 over capacity, 2 try again.",
    },
    Method {
        name: "get",
        params: &[
            ("key", "base64"),
            ("maxvals", "int"),
            ("placemark", "base64"),
            ("application", "string"),
        ],
        required: 4,
        returns: "array",
        help: "OpenDHT's get: returns [values, placemark], about 1 KiB of values and at least one, \
               in the order of their hashes. An empty placemark starts and ends a listing.",
    },
    Method {
        name: "get_details",
        params: &[
            ("key", "base64"),
            ("maxvals", "int"),
            ("placemark", "base64"),
            ("application", "string"),
        ],
        required: 4,
        returns: "array",
        help: "OpenDHT's get with details: each value is [value, seconds left to live, hash \
               algorithm, secret hash], the last two empty for a value put without a secret.",
    },
    Method {
        name: "rm",
        params: &[
            ("key", "base64"),
            ("value_hash", "base64"),
            ("hash_algorithm", "string"),
            ("secret", "base64"),
            ("ttl", "int"),
            ("application", "string"),
        ],
        required: 6,
        returns: "int",
        help: "OpenDHT's rm: removes the value with this SHA-1 that was put with the SHA-1 of this \
               secret, of at most 40 bytes. Returns 0 whether there was one or not.",
    },
    Method {
        name: "system.listMethods",
        params: &[],
        required: 0,
        returns: "array",
        help: "Returns the names of all methods.",
    },
    Method {
        name: "system.methodSignature",
        params: &[("method", "string")],
        required: 1,
        returns: "array",
        help: "Returns the ways to call a method, each the type it returns and then those of its \
               parameters. Where base64 is said a string is taken as well.",
    },
    Method {
        name: "system.methodHelp",
        params: &[("method", "string")],
        required: 1,
        returns: "string",
        help: "Returns what a method does.",
    },
];

/// The number of a method in [`METHODS`].
pub(super) fn position(name: &str) -> Option<usize> {
    METHODS.iter().position(|method| method.name == name)
}

/// The method of that name.
pub(super) fn find(name: &str) -> Option<&'static Method> {
    METHODS.get(position(name)?)
}

/// The known name nearest to one that is not known, if any is near.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    // Comparing takes time in the product of both lengths; no method's name is nearly that long.
    let name: String = name.chars().take(64).collect();
    METHODS
        .iter()
        .map(|method| (strsim::damerau_levenshtein(&name, method.name), method.name))
        .min()
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_the_method_meant() {
        assert_eq!(nearest("scope.gte"), Some("scope.get"));
        assert_eq!(nearest("scope.put_value_under_key"), None);
        assert_eq!(nearest(&"x".repeat(100_000)), None);
    }

    #[test]
    fn names_are_unique_and_required_parameters_exist() {
        for (at, method) in METHODS.iter().enumerate() {
            assert_eq!(position(method.name), Some(at));
            assert!(method.required <= method.params.len(), "{}", method.name);
        }
    }
}
