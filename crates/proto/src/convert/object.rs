use model::ObjectAddress;

use crate::internal as pb;

impl From<&ObjectAddress> for pb::ObjectAddress {
    fn from(o: &ObjectAddress) -> Self {
        Self {
            bucket: o.bucket.clone(),
            key: o.key.clone(),
            version: o.version.clone(),
        }
    }
}

impl From<pb::ObjectAddress> for ObjectAddress {
    fn from(m: pb::ObjectAddress) -> Self {
        Self {
            bucket: m.bucket,
            key: m.key,
            version: m.version,
        }
    }
}
