using System.Net;

namespace Tessera.Bench.Peers;

/// <summary>
/// nginx with one worker as its users set it up for proxying, and with limits on requests per
/// connection out of the way. Time-outs are nginx's defaults. Tuned, it also writes its log in
/// blocks, keeps bodies in memory, keeps thousands of connections and its files open.
/// </summary>
internal sealed class NginxPeer : Peer
{
    private const string Tuning =
        """
        proxy_buffers 16 64k;
                    proxy_busy_buffers_size 128k;
                    proxy_max_temp_file_size 0;
                    open_file_cache max=1000 inactive=60s;
                    open_file_cache_valid 1s;
                    tcp_nopush on;
        """;

    private readonly bool _isTuned;

    public NginxPeer(
        string name, bool isTuned, string folder, IPEndPoint backend, string files)
        : base(name, folder, backend, files) => _isTuned = isTuned;

    public override string Version => FirstLineOf("nginx", "-v");

    protected override IEnumerable<string> Command()
    {
        string path = Path.Combine(Folder, "nginx.conf");
        File.WriteAllText(path, Configuration());
        return ["nginx", "-p", Folder, "-e", Path.Combine(Folder, "error.log"), "-c", path];
    }

    private string Configuration() =>
        $$"""
        {{(Environment.IsPrivilegedProcess ? "user root;" : "")}}
        daemon off;
        pid {{Folder}}/nginx.pid;
        error_log {{Folder}}/error.log warn;
        worker_processes 1;
        worker_rlimit_nofile 20000;

        events {
            worker_connections 16000;
        }

        http {
            log_format upstream '$remote_addr - $remote_user [$time_local] "$request" '
                                '$status $body_bytes_sent "$http_referer" "$http_user_agent" '
                                '$upstream_addr $upstream_response_time $request_time';
            access_log {{AccessLog}} upstream {{(_isTuned ? "buffer=64k flush=1s" : "")}};
            sendfile on;
            {{(_isTuned ? Tuning : "")}}

            client_body_temp_path {{Folder}}/client_body;
            proxy_temp_path {{Folder}}/proxy;
            fastcgi_temp_path {{Folder}}/fastcgi;
            uwsgi_temp_path {{Folder}}/uwsgi;
            scgi_temp_path {{Folder}}/scgi;

            keepalive_requests 100000000;

            upstream backend {
                server {{Backend}};
                keepalive {{(_isTuned ? 4096 : 256)}};
                keepalive_requests 100000000;
            }

            server {
                listen {{EndPoint}};

                location /files/ {
                    alias {{Files}}/;
                }

                location / {
                    proxy_pass http://backend;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_set_header Host $host;
                    proxy_set_header X-Real-IP $remote_addr;
                    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                    proxy_set_header X-Forwarded-Proto $scheme;
                }
            }
        }

        """;
}
