// Java's own clients: HttpClient by a proxy of HTTP, and java.net.Socket by one of SOCKS.
//
//     javac Fetch.java; java Fetch HOST PORT USER PASSWORD AUTHORITY [http1|http2|socks] URL...
//
// Gets each URL and writes a line with the version of HTTP and one with the body. USER is
// empty where nobody is asked.

import java.io.FileInputStream;
import java.net.Authenticator;
import java.net.InetSocketAddress;
import java.net.PasswordAuthentication;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

public class Fetch {
    static SSLContext trusting(String authority) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (FileInputStream file = new FileInputStream(authority)) {
            store.setCertificateEntry("tests", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    static Authenticator authenticator(String user, String password) {
        return new Authenticator() {
            @Override
            protected PasswordAuthentication getPasswordAuthentication() {
                return new PasswordAuthentication(user, password.toCharArray());
            }
        };
    }

    static void fetch(HttpClient client, URI url) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(url).build();
        HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new Exception(url + ": " + answer.statusCode());
        }
        System.out.println(answer.version());
        System.out.print(answer.body());
    }

    static void fetchBySocket(Proxy proxy, SSLContext context, URI url) throws Exception {
        try (Socket plain = new Socket(proxy)) {
            // Not resolved here: the proxy is to look the name up.
            plain.connect(InetSocketAddress.createUnresolved(url.getHost(), url.getPort()));
            Socket socket = plain;
            if (url.getScheme().equals("https")) {
                SSLSocket secure = (SSLSocket) context.getSocketFactory().createSocket(plain, url.getHost(), url.getPort(), true);
                secure.startHandshake();
                socket = secure;
            }
            String request = "GET / HTTP/1.0\r\nHost: " + url.getAuthority() + "\r\nConnection: close\r\n\r\n";
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            System.out.println(answer.startsWith("HTTP/1.1 200 ") ? "SOCKS" : answer);
            System.out.print(answer.substring(answer.indexOf("\r\n\r\n") + 4));
        }
    }

    public static void main(String[] words) throws Exception {
        InetSocketAddress address = new InetSocketAddress(words[0], Integer.parseInt(words[1]));
        SSLContext context = trusting(words[4]);
        HttpClient.Builder builder = HttpClient.newBuilder().sslContext(context).proxy(ProxySelector.of(address));
        if (!words[2].isEmpty()) {
            builder.authenticator(authenticator(words[2], words[3]));
            Authenticator.setDefault(authenticator(words[2], words[3]));
        }
        HttpClient.Version version = words[5].equals("http2") ? HttpClient.Version.HTTP_2 : HttpClient.Version.HTTP_1_1;
        HttpClient client = builder.version(version).build();
        for (int i = 6; i < words.length; i++) {
            if (words[5].equals("socks")) {
                fetchBySocket(new Proxy(Proxy.Type.SOCKS, address), context, URI.create(words[i]));
            } else {
                fetch(client, URI.create(words[i]));
            }
        }
        System.exit(0);
    }
}
