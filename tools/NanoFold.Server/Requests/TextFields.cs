using System.Text.Json;
using NanoFold.Engine.Generation;

namespace NanoFold.Server.Requests;

/// <summary>What requests for completions and for answers in a chat have in common.</summary>
/// <param name="Options">How texts are sampled, but for <see cref="GenerationConfig.MaxTokens"/>.</param>
/// <param name="MaxTokens">Tokens of a text at most, or null where it was not said.</param>
/// <param name="Seed">Given or drawn.</param>
/// <param name="Choices">Texts for each prompt.</param>
/// <param name="Streams">Whether the text is sent as it comes.</param>
/// <param name="IncludesUsage">Whether a last event says how many tokens there were.</param>
internal sealed record TextFields(GenerationConfig Options, int? MaxTokens, long Seed, int Choices, bool Streams, bool IncludesUsage)
{
    private const string StreamOptions = "stream_options";
    private const int MostChoices = 64, MostStops = 16, LongestStop = 1000;

    public static TextFields Read(RequestFields fields, ServedModel served)
    {
        if (fields.Text("model") is { } name && name != served.Name)
        {
            throw new ApiException(404, $"model: there is no '{(name.Length > 80 ? name[..80] : name)}' here; this server has '{served.Name}'", "model", "model_not_found");
        }

        bool streams = fields.Flag("stream") ?? false;
        bool usage = false;
        if (fields.Get(StreamOptions) is { } options)
        {
            var inner = new RequestFields(options, StreamOptions);
            usage = inner.Flag("include_usage") ?? false;
            inner.Ignore("include_obfuscation");
            inner.RequireKnown();
        }

        GenerationConfig defaults = served.Defaults;
        GenerationConfig sampling = defaults with
        {
            Temperature = fields.Number("temperature", x => x >= 0, "of at least 0") ?? defaults.Temperature,
            TopP = fields.Number("top_p", x => x is > 0 and <= 1, "above 0 and at most 1") ?? defaults.TopP,
            TopK = (int)(fields.Integer("top_k", 0, int.MaxValue) ?? defaults.TopK),
            MinP = fields.Number("min_p", x => x is >= 0 and <= 1, "from 0 to 1") ?? defaults.MinP,
            RepetitionPenalty = fields.Number("repetition_penalty", x => x > 0, "above 0") ?? defaults.RepetitionPenalty,
            IgnoreEos = fields.Flag("ignore_eos") ?? defaults.IgnoreEos,
            Stop = fields.Get("stop") is { } stop ? Stops(stop) : defaults.Stop,
        };
        fields.Refuse("presence_penalty", "is not there; repetition_penalty makes tokens that were there less likely", IsZero);
        fields.Refuse("frequency_penalty", "is not there; repetition_penalty makes tokens that were there less likely", IsZero);
        fields.Refuse("logit_bias", "is not there", IsEmpty);
        fields.Ignore("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key");
        return new TextFields(
            sampling,
            (int?)fields.Integer("max_tokens", 1, int.MaxValue),
            fields.Integer("seed", long.MinValue, long.MaxValue) ?? Random.Shared.Next(),
            (int)(fields.Integer("n", 1, MostChoices) ?? 1),
            streams,
            usage);
    }

    public static bool IsZero(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number == 0;

    public static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        JsonValueKind.String => value.GetString()!.Length == 0,
        _ => false,
    };

    private static string[] Stops(JsonElement stop)
    {
        string[]? stops = stop.ValueKind switch
        {
            JsonValueKind.String => [stop.GetString()!],
            JsonValueKind.Array when stop.EnumerateArray().All(text => text.ValueKind == JsonValueKind.String) => [.. stop.EnumerateArray().Select(text => text.GetString()!)],
            _ => null,
        };
        if (stops is null || stops.Length > MostStops || stops.Any(text => text.Length is 0 or > LongestStop))
        {
            throw RequestFields.Wrong("stop", stop, $"a text or at most {MostStops} of them, none empty and none longer than {LongestStop} characters");
        }

        return stops;
    }
}
