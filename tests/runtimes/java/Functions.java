import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.LinkedHashMap;
import java.util.Map;

/** Every kind of handler that the official client knows. */
public class Functions {
    /** What events of the plain handler are. */
    public static class Order {
        private String item;
        private int count;

        public String getItem() {
            return item;
        }

        public void setItem(String item) {
            this.item = item;
        }

        public int getCount() {
            return count;
        }

        public void setCount(int count) {
            this.count = count;
        }
    }

    /** What it answers. */
    public static class Receipt {
        private final String text;

        Receipt(String text) {
            this.text = text;
        }

        public String getText() {
            return text;
        }
    }

    /** Only an object with a method. */
    public Receipt plain(Order order, Context context) {
        System.out.println("selling " + order.getCount());
        return new Receipt(order.getCount() + " " + order.getItem());
    }

    /** One that throws what it is told. */
    public String failing(String message) {
        throw new IllegalStateException(message);
    }

    /** The interface for values. */
    public static class Values implements RequestHandler<Map<String, Object>, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
            context.getLogger().log("logged by the context\n");
            Runtime jvm = Runtime.getRuntime();
            Map<String, Object> answer = new LinkedHashMap<>();
            answer.put("event", event);
            answer.put("request", context.getAwsRequestId());
            answer.put("arn", context.getInvokedFunctionArn());
            answer.put("memory", context.getMemoryLimitInMB());
            answer.put("remaining", context.getRemainingTimeInMillis());
            answer.put("heap", jvm.maxMemory());
            answer.put("version", System.getProperty("java.specification.version"));
            answer.put("set", System.getProperty("set.by.owner"));
            answer.put("execution", System.getenv("AWS_EXECUTION_ENV"));
            answer.put("home", System.getenv("JAVA_HOME"));
            return answer;
        }
    }

    /** The interface for bytes. */
    public static class Streams implements RequestStreamHandler {
        @Override
        public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
            byte[] event = input.readAllBytes();
            for (int at = event.length - 1; at >= 0; at--) {
                output.write(event[at]);
            }
        }
    }

    /** One whose class cannot be made. */
    public static class Broken implements RequestHandler<Object, Object> {
        static final int NUMBER = Integer.parseInt("none");

        @Override
        public Object handleRequest(Object event, Context context) {
            return NUMBER;
        }
    }
}
