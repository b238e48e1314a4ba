import org.apache.http.HttpHost;
import org.elasticsearch.client.Node;
import org.elasticsearch.client.Request;
import org.elasticsearch.client.RestClient;
import org.elasticsearch.client.sniff.ElasticsearchNodesSniffer;

/** Sniffs as the RestClient's Sniffer does, sends one request to what it found, prints where that is. */
class Sniff {
    public static void main(String[] words) throws Exception {
        HttpHost host = HttpHost.create(words[0]);
        ElasticsearchNodesSniffer.Scheme scheme = host.getSchemeName().equals("https")
            ? ElasticsearchNodesSniffer.Scheme.HTTPS : ElasticsearchNodesSniffer.Scheme.HTTP;
        try (RestClient client = RestClient.builder(host).build()) {
            client.setNodes(new ElasticsearchNodesSniffer(client, 5000, scheme).sniff());
            client.performRequest(new Request("PUT", "/written-by-java"));
            for (Node node : client.getNodes())
                System.out.println(node.getHost().toURI());
        }
    }
}
