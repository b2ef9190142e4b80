/* AWSAuthenticationPlugin of RDS, as a stand-in: asks the client for its token in clear text and iam_server.py whether it
   is right.

   scripts/servers compiles it twice, with -DFOR_MARIADB and -DFOR_MYSQL, because the two servers declare plugins
   differently. Both declarations are written down here, so that no headers of a server are needed: of MariaDB (plugin
   interface 1.14, authentication interface 2.2) and of MySQL (1.11 and 2.1).

   Environment of the server: RDSACCESS_IAM_PORT, the port of iam_server.py; RDSACCESS_IAM_DATABASE, the database that
   this server is. */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CR_ERROR = 0, CR_OK = -1 };
enum { PASSWORD_USED_YES = 1 };
enum { AUTHENTICATION_PLUGIN = 7, LICENSE_GPL = 1, MATURITY_EXPERIMENTAL = 1, LONGEST_TOKEN = 32768 };

typedef struct vio {
  int (*read_packet)(struct vio *, unsigned char **);
  int (*write_packet)(struct vio *, const unsigned char *, int);
  void (*info)(struct vio *, void *);
} vio;

#ifdef FOR_MARIADB
enum { USER_SIZE = 513, EXTERNAL_USER_SIZE = 513 };
#else
enum { USER_SIZE = 97, EXTERNAL_USER_SIZE = 512 };
#endif

/* Both servers have more fields after these. */
typedef struct {
  const char *user_name;
  unsigned int user_name_length;
  const char *auth_string;
  unsigned long auth_string_length;
  char authenticated_as[USER_SIZE];
  char external_user[EXTERNAL_USER_SIZE];
  int password_used;
} server_auth_info;

static int is_whole(int peer, const char *text, size_t length) {
  while (length > 0) {
    ssize_t sent = send(peer, text, length, MSG_NOSIGNAL);
    if (sent <= 0) return 0;
    text += sent;
    length -= (size_t)sent;
  }
  return 1;
}

static int is_right(const char *user, size_t user_length, const char *token, size_t token_length) {
  const char *port = getenv("RDSACCESS_IAM_PORT"), *database = getenv("RDSACCESS_IAM_DATABASE");
  if (port == NULL || database == NULL) return 0;
  int peer = socket(AF_INET, SOCK_STREAM, 0);
  if (peer < 0) return 0;
  struct timeval patience = {.tv_sec = 20};
  setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  char head[512], answer[4] = {0};
  int head_length = snprintf(head, sizeof head, "%s %zu %zu\n", database, user_length, token_length);
  int right = head_length > 0 && head_length < (int)sizeof head &&
              connect(peer, (struct sockaddr *)&place, sizeof place) == 0 && is_whole(peer, head, (size_t)head_length) &&
              is_whole(peer, user, user_length) && is_whole(peer, token, token_length) &&
              recv(peer, answer, sizeof answer, MSG_WAITALL) == 4 && memcmp(answer, "yes\n", 4) == 0;
  close(peer);
  return right;
}

static int authenticate(vio *client, server_auth_info *info) {
  unsigned char *packet;
  int length = client->read_packet(client, &packet);
  if (length <= 0 || length > LONGEST_TOKEN) return CR_ERROR;
  info->password_used = PASSWORD_USED_YES;
  /* Clients end the token with a zero byte. */
  if (packet[length - 1] == 0) length--;
  if (info->auth_string_length != 3 || memcmp(info->auth_string, "RDS", 3) != 0) return CR_ERROR;
  return is_right(info->user_name, info->user_name_length, (const char *)packet, (size_t)length) ? CR_OK : CR_ERROR;
}

#ifdef FOR_MARIADB

static struct {
  int interface_version;
  const char *client_plugin;
  int (*authenticate)(vio *, server_auth_info *);
  int (*hash_password)(const char *, size_t, char *, size_t *);
  int (*preprocess_hash)(const char *, size_t, unsigned char *, size_t *);
} handler = {0x0202, "mysql_clear_password", authenticate, NULL, NULL};

struct maria_plugin {
  int type;
  void *info;
  const char *name, *author, *description;
  int license;
  int (*init)(void *);
  int (*deinit)(void *);
  unsigned int version;
  void *status_variables, *system_variables;
  const char *version_text;
  unsigned int maturity;
};

int _maria_plugin_interface_version_ = 0x010e;
int _maria_sizeof_struct_st_plugin_ = sizeof(struct maria_plugin);
struct maria_plugin _maria_plugin_declarations_[] = {
    {AUTHENTICATION_PLUGIN, &handler, "AWSAuthenticationPlugin", "rdsaccess", "Stand-in for tests", LICENSE_GPL, NULL, NULL,
     0x0100, NULL, NULL, "1.0", MATURITY_EXPERIMENTAL},
    {0}};

#else

static int keep_text(char *out, unsigned int *out_length, const char *in, unsigned int in_length) {
  if (*out_length < in_length) return 1;
  memcpy(out, in, in_length);
  *out_length = in_length;
  return 0;
}

static int is_valid(char *const text, unsigned int length) {
  return length == 3 && memcmp(text, "RDS", 3) == 0 ? 0 : 1;
}

static int no_salt(const char *password, unsigned int length, unsigned char *salt, unsigned char *salt_length) {
  (void)password, (void)length, (void)salt;
  *salt_length = 0;
  return 0;
}

static struct {
  int interface_version;
  const char *client_plugin;
  int (*authenticate)(vio *, server_auth_info *);
  int (*generate_authentication_string)(char *, unsigned int *, const char *, unsigned int);
  int (*validate_authentication_string)(char *const, unsigned int);
  int (*set_salt)(const char *, unsigned int, unsigned char *, unsigned char *);
  const unsigned long flags;
  int (*compare_password_with_hash)(const char *, unsigned long, const char *, unsigned long, int *);
} handler = {0x0201, "mysql_clear_password", authenticate, keep_text, is_valid, no_salt, 0, NULL};

struct mysql_plugin {
  int type;
  void *info;
  const char *name, *author, *description;
  int license;
  int (*init)(void *);
  int (*check_uninstall)(void *);
  int (*deinit)(void *);
  unsigned int version;
  void *status_variables, *system_variables, *reserved;
  unsigned long flags;
};

int _mysql_plugin_interface_version_ = 0x010b;
int _mysql_sizeof_struct_st_plugin_ = sizeof(struct mysql_plugin);
struct mysql_plugin _mysql_plugin_declarations_[] = {
    {AUTHENTICATION_PLUGIN, &handler, "AWSAuthenticationPlugin", "rdsaccess", "Stand-in for tests", LICENSE_GPL, NULL, NULL,
     NULL, 0x0100, NULL, NULL, NULL, 0},
    {0}};

#endif
