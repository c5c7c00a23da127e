import com.amazonaws.services.lambda.runtime.Context;
import java.util.Map;

/** Greets whoever the event names. */
public class Hello {
    public Map<String, String> handle(Map<String, String> event, Context context) {
        String name = event.getOrDefault("name", "world");
        System.out.println("greeting " + name + ", " + context.getRemainingTimeInMillis() + " ms left");
        return Map.of("message", "hello, " + name, "request", context.getAwsRequestId());
    }
}
