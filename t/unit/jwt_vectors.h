/* SPDX-License-Identifier: MIT */
/* Tokens and keys: the published ones of RFC 7515 appendix A (that of A.1 is also the example
 * of RFC 7519 section 3.1) and RFC 8037 appendix A; the others were made with Python's
 * cryptography, which is OpenSSL, and say sub "alice", exp 4102444800, scope "read write". */
#ifndef QMS_T_JWT_VECTORS_H
#define QMS_T_JWT_VECTORS_H

#define RFC7515_A1                                                                             \
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODA"     \
    "sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_w"     \
    "W1gFWFOEjXk"
#define RFC7515_A1_K                                                                           \
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CA"     \
    "ow"
#define RFC7515_A2                                                                             \
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGF"     \
    "tcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu"     \
    "3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdi"     \
    "uB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--x"     \
    "i12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5A"     \
    "XLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
#define RFC7515_A2_N                                                                           \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEz"     \
    "P1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf6"     \
    "3kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5Zw"     \
    "Kh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW"     \
    "yuXpoQ"
#define RFC7515_A3                                                                             \
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGF"     \
    "tcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw"     \
    "5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define RFC7515_A3_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define RFC7515_A3_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define RFC7515_A3_D "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define RFC7515_A5                                                                             \
    "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"     \
    "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
#define RFC8037_A4                                                                             \
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7"     \
    "-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
#define RFC8037_A2_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

/* PS256, ES384 and EdDSA keys as a set, and tokens by them. */
#define MADE_KEYS                                                                              \
    "{\"keys\": [{\"kty\": \"RSA\", \"kid\": \"ps\", \"alg\": \"PS256\", \"n\": "              \
    "\"x5zewxsl0KEzr2YK37Hl1fur"                                                               \
    "UHcDFpULgszVbHS5DI5AscS8t265n-O9S4jdPgvnxSgAvjMYwIFVcPkUVFSkjGmTxVy6lfPBAoU8tWHngqov"     \
    "3G4KCm-8PhRZRQeQ2c_MqI1wJYWgwyuuoKkWHRpzeUz9swuHMM5a_XFhOvKzcrEKMw2UUzxz0AuDMJ0Vjjw-"     \
    "P7pBIY3m5v4N0_xD6NX--IQcs3Y2IFx9T-LXz3jx-H5aaws9rfszy_BAm7u8Drhci0GW_MS-A8es7Kedb888"     \
    "hN9t5qEyv98RGyqhfJR7cJ-03cLb_NnbEdWxRN1xdaNLRz1ZHG8Sc6c5Bkh3eRqr0Q\", \"e\": \"AQAB\"}, " \
    "{"                                                                                        \
    "\"kty\": \"EC\", \"kid\": \"e3\", \"crv\": \"P-384\", \"x\": "                            \
    "\"g5Z6a9cZ7PfOJhLHjwF-CFyd26-8LdsdzBdV"                                                   \
    "Dxlv37Nvu7L8HRTags4qhnCVWKjH\", \"y\": \"3k0Puhu-AVoZQUimdLJqKLd6pxNzemGBg3zYmeNF2MNlIPJ" \
    "n9d11r0UogfT_E47z\"}, {\"kty\": \"OKP\", \"kid\": \"ed\", \"crv\": \"Ed25519\", \"x\": "  \
    "\"fo2SbnOzmjK"                                                                            \
    "kSeea__ur9397T6d5Q7L1VWZxIDcfiXU\"}]}"
#define MADE_PS256                                                                             \
    "eyJhbGciOiAiUFMyNTYiLCAia2lkIjogInBzIn0.eyJzdWIiOiAiYWxpY2UiLCAiZXhwIjogNDEwMjQ0NDgw"     \
    "MCwgInNjb3BlIjogInJlYWQgd3JpdGUifQ.NEbIW4BREPJv_m2TZuPYN60-mPvNfrnFoo0kyPXsUHAfscR6v"     \
    "0aa4cupaAgn_aiVnPw7poLKe6Gt0od7kGUT7SZNpt5BRZnQRKpZ_vhDfpcrihPQBXwfm52vEWMbzfajKrqvg"     \
    "MHQIDg0N0p0JbZvfO5E4TXRpBo8iBxVJDGG940771Q1Jsy0v3QZHQ0kdDNRyd3-N0_ThiWhilfTwyqAtO2ax"     \
    "ocq_56nWRZC0zZKReplmi0w1SAbgtvXAXe74Ur6UkxtPDvVyjE8HljI2bvBlMyjrxIXaETKI27baRGIjDqi_"     \
    "RB5l5oGwfX1Gowizag-hnT89LazWErHFOFhenTNQg"
#define MADE_PS256_SALT20                                                                      \
    "eyJhbGciOiAiUFMyNTYiLCAia2lkIjogInBzIn0.eyJzdWIiOiAiYWxpY2UiLCAiZXhwIjogNDEwMjQ0NDgw"     \
    "MCwgInNjb3BlIjogInJlYWQgd3JpdGUifQ.b7GY6YIRALClChddmJzbNasyhH-WhMX4zAjSKsdhbJR5U73Dg"     \
    "T7xyC8Gcz1sStHVlC82FLRevlErR4a3OHJ35-4fa1MCcZP7lZvpYJWnrHQ1Ie5oGEhA7tC5xnWhQPwoK9rZ7"     \
    "WpIt4mFhsIuvHl38ul8M9d6zyYeilyPBle49HsRy3WsL4a_dhhJSPg_AnAPOY7Qj5b8hfK2d2ZynloSeELul"     \
    "8y8F3pwE-Lum3JIl5aRlE1ANJ6FRqrXxqrS9HWzJU55YdDnZ4rE8DU-FXfywkBorxTkstkwwkzFGNx6pnMVp"     \
    "MjnGh2KqpVnMRf1VhzPTL1YWzQveG8Ak3L-SbOJeA"
#define MADE_RS256_BY_PS_KEY                                                                   \
    "eyJhbGciOiAiUlMyNTYiLCAia2lkIjogInBzIn0.eyJzdWIiOiAiYWxpY2UiLCAiZXhwIjogNDEwMjQ0NDgw"     \
    "MCwgInNjb3BlIjogInJlYWQgd3JpdGUifQ.dmvN7-ocLsL9N21jVcFqWIZcJ2jHarkbj4c6iWOBcTRBy17wX"     \
    "vbswjBuszi3UIOd8INvkLmO0OuPDlT8kOME-YSm0b48wQr2G9ZwjNlBrFcHbjkvVCLB2zenJQFyXX5qkwiOq"     \
    "UABsk7f7FbVAkrAKqOuT17zvFhOHivxOQoTy52PcT2waYOP1lM604YtTsW_iAEoUR7ohUhI3rnSktPHdrglZ"     \
    "kVzEV61cuGJa50PDcu8Cg8FX_usc94ak80Le7HLOMEVs8E_J1mIc1WicOvqVkN3-JqHohrCp7DwENj5berSb"     \
    "xtSao4zlDReeHtpgginAx9jvLQSxBJkS1Cvnkhnew"
#define MADE_ES384                                                                             \
    "eyJhbGciOiAiRVMzODQiLCAia2lkIjogImUzIn0.eyJzdWIiOiAiYWxpY2UiLCAiZXhwIjogNDEwMjQ0NDgw"     \
    "MCwgInNjb3BlIjogInJlYWQgd3JpdGUifQ.ocTbT9l6gyYc_SMb-YGz66kHXNlTz1_OPQk322LZ5qBMKBEai"     \
    "YU0Bp_fTRdjjEVS-yoY5R5P0UWZYSs35jAhQsTrWkUaiXFbZcEMZ8ShYL3WpCrZSny1LP-KwdyYP3uP"
#define MADE_EDDSA                                                                             \
    "eyJhbGciOiAiRWREU0EiLCAia2lkIjogImVkIn0.eyJzdWIiOiAiYWxpY2UiLCAiZXhwIjogNDEwMjQ0NDgw"     \
    "MCwgInNjb3BlIjogInJlYWQgd3JpdGUifQ.AWgLyrUFPpU9ANnQxKZynbob8lnQUxiE7f7bMLT_h2U-H9ICU"     \
    "g2ND6tcSKx5lNcwTLeyOIcHFMGcSK91GyQXCw"
#define MADE_RSA1024_N                                                                         \
    "2NgOW77T-3EB0AhB0UWkSPtXldM1W3FkmsAK-3bJv7ttWo3i2DHPxnfr-P-atYtrG4IDgcxALTgOblNUiN7x"     \
    "WhC8U1Be872h5fVylkazcpdFIJeOn7itoJ4z1ojppdeWiu02cLzjN17zgviRTb4rm0XyaT-kCcaiGeO_1mzO"     \
    "hes"

#endif
