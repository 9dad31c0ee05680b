/*
 * Every size, count and time that a peer controls has its limit here. Bytes unless the name says
 * otherwise.
 */
#ifndef CONCLAVE_PROTOCOL_LIMITS_H
#define CONCLAVE_PROTOCOL_LIMITS_H

#define CV_ID_MAX 63			/* characters of a fleet, gateway, device or operator id */
#define CV_ID_BUF 64
#define CV_VOLUME_ID_BYTES 16
#define CV_BOOT_ID_BYTES 16
#define CV_REQUEST_ID_BYTES 16
#define CV_SESSION_BYTES 16
#define CV_SECRET_BYTES 32		/* unlock secret, and so each share */
#define CV_HASH_BYTES 32
#define CV_MAC_BYTES 32
#define CV_MAC_KEY_BYTES 32
#define CV_MAC_ROOT_BYTES 32
#define CV_NONCE_BYTES 40		/* 16 random, 8 issued-at, 16 tag */
#define CV_ES256_PRIVATE_BYTES 32
#define CV_ES256_PUBLIC_BYTES 65	/* SEC 1 uncompressed point */
#define CV_ES256_SIG_BYTES 64		/* r || s */
#define CV_X25519_BYTES 32

#define CV_MEMBERS_MAX 16		/* N */
#define CV_THRESHOLD_MIN 2		/* K; 1 only with --insecure-single */

#define CV_BODY_MAX 36864		/* HTTP body, devices' listener: token, quote, events */
#define CV_OP_BODY_MAX 188416		/* HTTP body, operators' listener: the largest document */
#define CV_JSON_DEPTH_MAX 8
#define CV_JSON_NAMES_MAX 128		/* member names of all objects open at one point */
#define CV_JSON_INTEGER_MAX 9007199254740991 /* 2^53 - 1 */
#define CV_TARGET_MAX 64		/* request path */
#ifndef CV_EVIDENCE_MAX			/* a small device may be built with less: it makes its own */
#define CV_EVIDENCE_MAX 10240		/* compact JWS text; 9,576 with every claim at its limit */
#endif
#define CV_JWS_MAX 180224		/* any signed document */
#define CV_OPCERT_MAX 2048		/* operator certificate, compact JWS text */
#ifndef CV_SHARE_SET_MAX		/* a small device may be built with less */
#define CV_SHARE_SET_MAX 8192		/* share set, compact JWS text */
#endif
#define CV_POLICY_MAX 8192		/* policy of a device, JSON text */
#define CV_GROUP_POLICY_MAX 131072	/* policy of a group, JSON text */
#define CV_NAME_MAX 63			/* digest names, place names, software names */
#ifndef CV_DIGESTS_MAX			/* a small device may be built with less */
#define CV_DIGESTS_MAX 16		/* measurements in one token */
#endif
#ifndef CV_INVENTORY_MAX		/* a small device may be built with less */
#define CV_INVENTORY_MAX 24		/* parts of a machine, in one token or record */
#endif
#define CV_REFERENCE_VALUES_MAX 64	/* per measurement name, in one policy */
#define CV_PCR_VALUES_MAX 16		/* per PCR, and of firmware versions, in one policy */
#define CV_PLACES_MAX 64		/* per list, in one policy */
#define CV_EVENTS_MAX 512		/* events of a boot beside a quote: 22.6 KB of base64url */
#define CV_EVENT_NAMES_MAX 64		/* required events, in one policy */
#define CV_EVENT_VALUES_MAX 1024	/* their values, and those that are allowed */
#define CV_AREAS_MAX 128		/* circles and polygons, in one policy */
#define CV_CORNERS_MAX 4096		/* of all polygons, in one policy */
#define CV_POLYGON_CORNERS_MAX 128	/* of one: each pair of edges is compared once */
#define CV_PLACE_ACCURACY_MAX_M 100000	/* no policy can allow a worse position */
#define CV_PLACE_SOURCES_MAX 16		/* in one policy */
#define CV_AUTHORIZE_REPLY_BYTES 1024	/* 200 and 403 of /v1/authorize are padded to this */
#define CV_REFUSAL_BYTES 256		/* refusals of all else after the MAC */

#define CV_NONCE_TTL_S 30		/* how long a gateway honours its nonce */
#define CV_CONNECT_TIMEOUT_MS 1000
#define CV_GATEWAY_TIMEOUT_MS 2000
#define CV_TOKEN_WAIT_MS 50		/* wait for late nonces once K are here */
#define CV_RETRY_AFTER_MAX_S 30		/* the client caps what a gateway asks for */
#define CV_DENIED_RETRY_MS 300000	/* one attempt per five minutes after N-K+1 said "no" */

#endif
