using System.Text.Json.Nodes;

namespace NanoFold.Engine.Interchange.Gguf.Architectures;

/// <summary>Rotary positions of a GGUF file, in the keys of transformers.</summary>
internal static class GgufRope
{
    /// <summary>A tensor with a divisor of each pair's angle, where all texts have the same.</summary>
    public const string Factors = "rope_freqs.weight";

    private const string Long = "rope_factors_long.weight", Short = "rope_factors_short.weight";

    /// <summary>Tensors that are read here.</summary>
    public static IReadOnlyList<string> Tensors { get; } = [Factors, Long, Short];

    /// <summary>Adds base and scaling.</summary>
    /// <param name="file">Whose metadata and tensors are read.</param>
    /// <param name="keys">That have <c>head_dim</c> and <c>max_position_embeddings</c>.</param>
    /// <param name="share">The key for the part of a head that is turned; null where all of it must be.</param>
    /// <param name="theta">The base where the file names none.</param>
    public static void Read(GgufFile file, JsonObject keys, string? share = null, double theta = 10000)
    {
        GgufMetadata here = file.Metadata;
        int head = (int)keys["head_dim"]!, context = (int)keys["max_position_embeddings"]!, turned = here.Count("rope.dimension_count", int.MaxValue, head);
        if (turned > head || turned % 2 != 0 || (share is null && turned != head))
        {
            throw here.Fault(here.Full("rope.dimension_count"), $"turning a part of heads of {head} is not supported in this architecture");
        }

        if (share is not null)
        {
            keys[share] = (double)turned / head;
        }

        keys["rope_theta"] = here.Number("rope.freq_base", theta);
        string type = here.Text("rope.scaling.type", here.Has("rope.scale_linear") ? "linear" : "none");
        double factor = here.Number("rope.scaling.factor", here.Number("rope.scale_linear", 1));
        int original = here.Count("rope.scaling.original_context_length", int.MaxValue, context);
        here.FlagOf(here.Full("rope.scaling.finetuned"), false);
        if (Scaling(file, type, factor, original, turned / 2) is { } scaling)
        {
            keys["rope_scaling"] = scaling;
            keys["original_max_position_embeddings"] = original;
        }
    }

    private static JsonObject? Scaling(GgufFile file, string type, double factor, int original, int pairs)
    {
        GgufMetadata here = file.Metadata;
        if (file.Find(Factors) is not null || file.Find(Long) is not null)
        {
            if (type is not ("none" or "longrope") || (type == "none" && factor != 1))
            {
                throw here.Fault(here.Full("rope.scaling.type"), "beside divisors of single pairs it is not supported");
            }

            bool isOne = file.Find(Factors) is not null;
            JsonArray list = Divisors(file, isOne ? Factors : Long, pairs);
            JsonObject result = new()
            {
                ["rope_type"] = "longrope",
                ["long_factor"] = list,
                ["short_factor"] = isOne ? list.DeepClone() : Divisors(file, Short, pairs),
                ["original_max_position_embeddings"] = original,
            };
            if (isOne || here.Has("rope.scaling.attn_factor"))
            {
                result["attention_factor"] = here.Number("rope.scaling.attn_factor", 1);
            }

            return result;
        }

        switch (type)
        {
            case "none":
                return null;
            case "linear":
                return factor == 1 ? null : new JsonObject { ["rope_type"] = "linear", ["factor"] = factor };
            case "yarn":
                JsonObject yarn = new() { ["rope_type"] = "yarn", ["factor"] = factor, ["original_max_position_embeddings"] = original };
                foreach ((string from, string to) in new[] { ("yarn_beta_fast", "beta_fast"), ("yarn_beta_slow", "beta_slow") })
                {
                    if (here.Has($"rope.scaling.{from}"))
                    {
                        yarn[to] = here.Number($"rope.scaling.{from}");
                    }
                }

                return yarn;
            default:
                throw here.Fault(here.Full("rope.scaling.type"), "is not supported; what is: none, linear, yarn, and divisors of single pairs");
        }
    }

    private static JsonArray Divisors(GgufFile file, string name, int pairs)
    {
        TensorEntry entry = file.Find(name) ?? throw new UserException($"{file.Path}: '{name}' is missing");
        if (entry.Shape is not [{ } count] || count != pairs || !entry.IsReal)
        {
            throw new UserException($"{file.Path}: {entry} has no number for each of {pairs} pairs");
        }

        float[] divisors = new float[pairs];
        file.Read(name, 0, divisors);
        return Array.TrueForAll(divisors, divisor => float.IsFinite(divisor) && divisor > 0)
            ? new JsonArray([.. divisors.Select(divisor => (JsonNode)(double)divisor)])
            : throw new UserException($"{file.Path}: '{name}' has divisors that are not more than 0");
    }
}
