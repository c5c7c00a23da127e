//! Requests as botocore 1.44.5 signs them, for `http://lambda.local:9000` at 2026-11-24T01:02:03Z.

/// A signed request; the host is not among its headers.
pub(super) struct Vector {
    pub(super) name: &'static str,
    pub(super) request: &'static str,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) body: &'static [u8],
}

pub(super) const ACCESS_KEY: &str = "AKIDEXAMPLE";
pub(super) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub(super) const TOKEN_TEXT: &str = "FwoGZXIvYXdzEXAMPLE//token==";

#[rustfmt::skip]
pub(super) const VECTORS: &[Vector] = &[
    Vector {
        name: "get",
        request: "GET /2015-03-31/functions/hello",
        headers: &[
            ("x-amz-date", "20261124T010203Z"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-west-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=0082813f9930560f1a1233934816e913b93449aac5af19164dc829b0ab929ccb"),
        ],
        body: b"",
    },
    Vector {
        name: "post",
        request: "POST /2015-03-31/functions/hello/invocations",
        headers: &[
            ("x-amz-invocation-type", "Event"),
            ("content-type", "application/json"),
            ("x-amz-date", "20261124T010203Z"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-west-1/lambda/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-invocation-type, Signature=a685a02009688bab1ff815ccf679c01cfa6290d03a1e20201310dce9a8f4a0b6"),
        ],
        body: b"{\"a\":1}",
    },
    Vector {
        name: "query",
        request: "GET /2015-03-31/functions?Marker=a%2Fb%3D%3D%20~x&MaxItems=5&Empty=&A=%C3%A4&a=2&a=1&a%2Bb=c",
        headers: &[
            ("x-amz-date", "20261124T010203Z"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-west-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=79f0c60a820289abab073d22db845dcb6e5d9fc90e4de72894ad98280d3c048d"),
        ],
        body: b"",
    },
    Vector {
        name: "path",
        request: "POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Ahello%3A%24LATEST/invocations",
        headers: &[
            ("x-amz-date", "20261124T010203Z"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-west-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=a71aa22e7d88861456d44b87f1f5c5a8516f3ebbd358872d484cacd5e2520528"),
        ],
        body: b"x",
    },
    Vector {
        name: "encoded slash",
        request: "DELETE /2017-03-31/tags/a%2Fb%2Fc%20d?tagKeys=x&tagKeys=y",
        headers: &[
            ("x-amz-date", "20261124T010203Z"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-west-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=01a9f04b15131073b39bfbaf7862bdc2985481aadae9af09b0f45debe731f4f6"),
        ],
        body: b"",
    },
    Vector {
        name: "dot segments",
        request: "GET /2015-03-31/./functions//hello/../other/",
        headers: &[
            ("x-amz-date", "20261124T010203Z"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-west-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=b84d161ee0ce36fcf66df7c93893a6920e0510e42ed7c697dc8ed04cc611a863"),
        ],
        body: b"",
    },
    Vector {
        name: "token",
        request: "GET /2015-03-31/functions/hello",
        headers: &[
            ("x-amz-date", "20261124T010203Z"),
            ("x-amz-security-token", "FwoGZXIvYXdzEXAMPLE//token=="),
            ("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-west-1/lambda/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=84ed6fc5edffec563e5bc7f775b6f927d7d293713453996b5d46a33767b106e3"),
        ],
        body: b"",
    },
    Vector {
        name: "white space",
        request: "GET /2015-03-31/functions/hello",
        headers: &[
            ("x-amz-client-context", "  a   b \t c  "),
            ("x-amz-meta", "one"),
            ("x-amz-meta", "two  2"),
            ("x-amz-date", "20261124T010203Z"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-west-1/lambda/aws4_request, SignedHeaders=host;x-amz-client-context;x-amz-date;x-amz-meta, Signature=a930dc92bc0b6be124ff9c6264a44a49928b02454a6f054065edfbb8f5a641a8"),
        ],
        body: b"",
    },
    Vector {
        name: "content hash",
        request: "POST /2015-03-31/functions/hello/invocations",
        headers: &[
            ("x-amz-content-sha256", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
            ("x-amz-date", "20261124T010203Z"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-west-1/lambda/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=3a1f4ce6d035aa79a17916e7d801c10a1c1d520f4f608c294646b8e9ce204299"),
        ],
        body: b"{}",
    },
    Vector {
        name: "unsigned payload",
        request: "POST /2015-03-31/functions/hello/invocations",
        headers: &[
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            ("x-amz-date", "20261124T010203Z"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-west-1/lambda/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=d2069701ec282e4246a96bb34ffb7e0c931fb7ce12558e3d9b2abfca2df0931c"),
        ],
        body: b"{}",
    },
    Vector {
        name: "date header",
        request: "GET /2015-03-31/functions/hello",
        headers: &[
            ("date", "Tue, 24 Nov 2026 01:02:03 -0000"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-west-1/lambda/aws4_request, SignedHeaders=date;host, Signature=7c0eb1ed7650bbe93c1743e1df4c0d60f6366c10f0b2bca36e47a5ae0cbc509d"),
        ],
        body: b"",
    },
    Vector {
        name: "presigned",
        request: "GET /2015-03-31/functions/hello%3Alive?Qualifier=live&x=%2F&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261124%2Feu-west-1%2Flambda%2Faws4_request&X-Amz-Date=20261124T010203Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=9a1ebcae4789177e288f82417d499eefd93c117b034a58bdc948d63ba32623ee",
        headers: &[],
        body: b"",
    },
    Vector {
        name: "presigned with token",
        request: "POST /2015-03-31/functions/hello/invocations?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261124%2Feu-west-1%2Flambda%2Faws4_request&X-Amz-Date=20261124T010203Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Security-Token=FwoGZXIvYXdzEXAMPLE%2F%2Ftoken%3D%3D&X-Amz-Signature=b79b8a909a776fb7cf1636bc043bd748ddad596aa99dbf8964e4ad97b6fb2f9e",
        headers: &[],
        body: b"",
    },
];
