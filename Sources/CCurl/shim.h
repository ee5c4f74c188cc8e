#include <curl/curl.h>

// curl_easy_setopt and curl_easy_getinfo take arguments of any type, which only C can call.

typedef size_t (*sluice_curl_write)(char *bytes, size_t size, size_t count, void *context);
typedef int (*sluice_curl_progress)(void *context, curl_off_t, curl_off_t, curl_off_t, curl_off_t);

static inline CURLcode sluice_curl_set_long(CURL *curl, CURLoption option, long value) {
        return curl_easy_setopt(curl, option, value);
}

// curl keeps a copy of text.
static inline CURLcode sluice_curl_set_text(CURL *curl, CURLoption option, const char *text) {
        return curl_easy_setopt(curl, option, text);
}

// The list stays the caller's, and must live as long as the request takes.
static inline CURLcode sluice_curl_set_headers(CURL *curl, struct curl_slist *headers) {
        return curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
}

static inline CURLcode sluice_curl_set_writer(CURL *curl, sluice_curl_write write, void *context) {
        CURLcode code = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, write);
        return code ? code : curl_easy_setopt(curl, CURLOPT_WRITEDATA, context);
}

static inline CURLcode sluice_curl_set_progress(CURL *curl, sluice_curl_progress progress, void *context) {
        CURLcode code = curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, progress);
        if (!code) code = curl_easy_setopt(curl, CURLOPT_XFERINFODATA, context);
        return code ? code : curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
}

// Where a request's failure is told in words: CURL_ERROR_SIZE bytes, which must live as long as the handle does.
static inline CURLcode sluice_curl_set_error_text(CURL *curl, char *text) {
        return curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
}

// HTTP and HTTPS and nothing else, whatever a redirect says.
static inline CURLcode sluice_curl_set_http_only(CURL *curl) {
#if LIBCURL_VERSION_NUM >= 0x075500
        return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
        return curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static inline long sluice_curl_status(CURL *curl) {
        long status = 0;
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        return status;
}

// Where a redirect leads; NULL when the answer is none. Valid up to the next request.
static inline const char *sluice_curl_redirect(CURL *curl) {
        char *url = NULL;
        curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &url);
        return url;
}
