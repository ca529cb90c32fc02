#include "tests/tls/tls_client.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace lab::test {

namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File open_file(const std::string& path, const char* how) {
  File file(std::fopen(path.c_str(), how), &std::fclose);
  if (!file) throw std::runtime_error("cannot open " + path);
  return file;
}

void extend(X509* certificate, X509* issuer, int what, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
  ASSERT_NE(extension, nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

}  // namespace

TlsClient::TlsClient(const TlsClientOptions& options) : context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX_set_min_proto_version(context_.get(), options.version);
  SSL_CTX_set_max_proto_version(context_.get(), options.version);
  SSL_CTX_set_info_callback(context_.get(), &on_info);
  if (!options.certificate.empty()) {
    SSL_CTX_use_certificate_file(context_.get(), options.certificate.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context_.get(), options.key.c_str(), SSL_FILETYPE_PEM);
  }
  ssl_.reset(SSL_new(context_.get()));
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  BIO_set_mem_eof_return(SSL_get_rbio(ssl_.get()), -1);
  if (!options.name.empty()) SSL_set_tlsext_host_name(ssl_.get(), options.name.c_str());
  std::string proposed;
  for (const std::string& one : options.alpn) proposed += static_cast<char>(one.size()) + one;
  if (!proposed.empty()) {
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(proposed.data()),
                        static_cast<unsigned>(proposed.size()));
  }
  if (options.session != nullptr) SSL_set_session(ssl_.get(), options.session);
  SSL_set_connect_state(ssl_.get());
  feed({});
}

void TlsClient::feed(std::string_view records) {
  if (!records.empty()) {
    BIO_write(SSL_get_rbio(ssl_.get()), records.data(), static_cast<int>(records.size()));
  }
  for (;;) {
    std::array<char, 16384> space;
    const int count = SSL_read(ssl_.get(), space.data(), space.size());
    if (count > 0) {
      text.append(space.data(), static_cast<std::size_t>(count));
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), count);
    if (error == SSL_ERROR_SSL) failed_ = true;
    ERR_clear_error();
    return;
  }
}

std::string TlsClient::take_records() {
  std::string records;
  std::array<char, 16384> space;
  for (;;) {
    const int count = BIO_read(SSL_get_wbio(ssl_.get()), space.data(), space.size());
    if (count <= 0) return records;
    records.append(space.data(), static_cast<std::size_t>(count));
  }
}

void TlsClient::write(std::string_view plain) {
  ASSERT_EQ(SSL_write(ssl_.get(), plain.data(), static_cast<int>(plain.size())),
            static_cast<int>(plain.size()));
}

void TlsClient::key_update() {
  ASSERT_EQ(SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED), 1);
  ASSERT_EQ(SSL_do_handshake(ssl_.get()), 1);
}

void TlsClient::renegotiate() {
  ASSERT_EQ(SSL_renegotiate(ssl_.get()), 1);
  feed({});
}

std::string TlsClient::alpn() const {
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &chosen, &size);
  return {reinterpret_cast<const char*>(chosen), size};
}

std::string TlsClient::server_name() const {
  std::array<char, 100> name{};
  X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(),
                            static_cast<int>(name.size()));
  return name.data();
}

void TlsClient::on_info(const SSL* ssl, int where, int value) {
  if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT || value >> 8 != SSL3_AL_FATAL) return;
  static_cast<TlsClient*>(SSL_get_app_data(ssl))->alert_ = value & 0xff;
}

TlsFiles::TlsFiles() {
  std::string name = (std::filesystem::temp_directory_path() / "tls-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder for the test's files");
  folder_ = name;
}

TlsFiles::~TlsFiles() { std::filesystem::remove_all(folder_); }

TlsFiles::Pair TlsFiles::make(const std::vector<std::string>& names, const Pair* issuer) {
  const TlsCertificatePointer certificate(X509_new());
  const TlsKeyPointer key(EVP_EC_gen("P-256"));
  TlsCertificatePointer issuer_certificate;
  TlsKeyPointer issuer_key;
  if (issuer != nullptr) {
    const File certificate_file = open_file(issuer->certificate, "r");
    const File key_file = open_file(issuer->key, "r");
    issuer_certificate.reset(PEM_read_X509(certificate_file.get(), nullptr, nullptr, nullptr));
    issuer_key.reset(PEM_read_PrivateKey(key_file.get(), nullptr, nullptr, nullptr));
  }
  X509* const by = issuer != nullptr ? issuer_certificate.get() : certificate.get();
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), static_cast<long>(++count_));
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(names.front().c_str()), -1, -1,
                             0);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(by));
  X509_set_pubkey(certificate.get(), key.get());
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "DNS:" : ",DNS:") + name;
  extend(certificate.get(), by, NID_subject_alt_name, all);
  if (issuer == nullptr) extend(certificate.get(), by, NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(certificate.get(), issuer != nullptr ? issuer_key.get() : key.get(), EVP_sha256());

  const std::string base = folder_ + "/" + std::to_string(count_);
  const Pair pair{.certificate = base + ".crt", .key = base + ".key"};
  PEM_write_X509(open_file(pair.certificate, "w").get(), certificate.get());
  PEM_write_PrivateKey(open_file(pair.key, "w").get(), key.get(), nullptr, nullptr, 0, nullptr,
                       nullptr);
  return pair;
}

std::string TlsFiles::write(const std::string& name, const std::string& content) {
  std::ofstream(folder_ + "/" + name) << content;
  return folder_ + "/" + name;
}

}  // namespace lab::test
