using System.Text.Json.Nodes;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Rotary positions: <c>rope_theta</c> and <c>rope_scaling</c>, or both in <c>rope_parameters</c>.</summary>
internal static class RopeKeys
{
    private const string OriginalKey = "original_max_position_embeddings";

    /// <summary>The model with base and scaling that a configuration names.</summary>
    /// <param name="keys">Where they stand.</param>
    /// <param name="model">All else of it.</param>
    /// <param name="context">What <c>max_position_embeddings</c> says.</param>
    /// <param name="theta">The base where the configuration names none.</param>
    public static ModelConfig Read(ForeignConfig keys, ModelConfig model, int context, double theta)
    {
        ForeignConfig? parameters = keys.Section("rope_parameters"), scaling = parameters ?? keys.Section("rope_scaling");
        double own = keys.Number("rope_theta", theta);
        RopeScalingConfig read = scaling is null ? new NoRopeScalingConfig() : Scaling(keys, scaling, context);
        model = model with { RopeBase = parameters?.Number("rope_theta", own) ?? own, RopeScaling = read };
        // What is stretched is there for texts of that length.
        return read is StretchedRopeConfig stretched ? model with { Context = Math.Max(model.Context, DecoderKeys.ContextOf(keys, stretched.Original * stretched.Factor)) } : model;
    }

    /// <summary>The keys of a model of ours.</summary>
    public static void Write(ModelConfig model, JsonObject keys)
    {
        keys["rope_theta"] = model.RopeBase;
        if (model.RopeScaling is NoRopeScalingConfig)
        {
            return;
        }

        JsonObject scaling = KeysOf(model.RopeScaling);
        scaling["rope_type"] = model.RopeScaling.Kind;
        keys["rope_scaling"] = scaling;
        switch (model.RopeScaling)
        {
            case DynamicRopeConfig dynamic:
                // Its length of training has no key of its own.
                keys["max_position_embeddings"] = dynamic.Original;
                break;
            case LongRopeConfig longRope:
                keys[OriginalKey] = longRope.Original;
                keys["max_position_embeddings"] = (int)Math.Round(longRope.Original * longRope.Factor);
                break;
        }
    }

    private static JsonObject KeysOf(RopeScalingConfig scaling) => scaling switch
    {
        LinearRopeConfig linear => new() { ["factor"] = linear.Factor },
        DynamicRopeConfig dynamic => new() { ["factor"] = dynamic.Factor },
        YarnConfig yarn => WithYarn(yarn),
        Llama3RopeConfig llama => new()
        {
            ["factor"] = llama.Factor, [OriginalKey] = llama.Original, ["low_freq_factor"] = llama.LowFreqFactor, ["high_freq_factor"] = llama.HighFreqFactor,
        },
        LongRopeConfig longRope => WithLists(longRope),
        _ => [],
    };

    private static JsonObject WithYarn(YarnConfig yarn)
    {
        JsonObject keys = new()
        {
            ["factor"] = yarn.Factor, [OriginalKey] = yarn.Original, ["beta_fast"] = yarn.BetaFast, ["beta_slow"] = yarn.BetaSlow, ["truncate"] = yarn.Truncate,
        };
        (string Key, double Value)[] given = [("attention_factor", yarn.AttentionFactor ?? 0), ("mscale", yarn.Mscale), ("mscale_all_dim", yarn.MscaleAllDim)];
        foreach ((string key, double value) in given.Where(pair => pair.Value > 0))
        {
            keys[key] = value;
        }

        return keys;
    }

    private static JsonObject WithLists(LongRopeConfig longRope)
    {
        JsonObject keys = new()
        {
            ["short_factor"] = new JsonArray([.. longRope.ShortFactor.Select(factor => (JsonNode)factor)]),
            ["long_factor"] = new JsonArray([.. longRope.LongFactor.Select(factor => (JsonNode)factor)]),
        };
        if (longRope.AttentionFactor is { } factor)
        {
            keys["attention_factor"] = factor;
        }

        return keys;
    }

    private static RopeScalingConfig Scaling(ForeignConfig keys, ForeignConfig scaling, int context)
    {
        string kind = scaling.Text("rope_type", scaling.Text("type", "default"));
        return kind switch
        {
            "default" => new NoRopeScalingConfig(),
            "linear" => new LinearRopeConfig { Factor = scaling.Number("factor") },
            "dynamic" => new DynamicRopeConfig { Factor = scaling.Number("factor"), Original = context },
            "yarn" => new YarnConfig
            {
                Factor = scaling.Number("factor"),
                Original = scaling.Integer(OriginalKey, context),
                BetaFast = scaling.Number("beta_fast", 32),
                BetaSlow = scaling.Number("beta_slow", 1),
                Truncate = scaling.Flag("truncate", true),
                AttentionFactor = scaling.Has("attention_factor") ? scaling.Number("attention_factor") : null,
                Mscale = scaling.Number("mscale", 0),
                MscaleAllDim = scaling.Number("mscale_all_dim", 0),
            },
            "llama3" => new Llama3RopeConfig
            {
                Factor = scaling.Number("factor"),
                Original = scaling.Integer(OriginalKey, context),
                LowFreqFactor = scaling.Number("low_freq_factor"),
                HighFreqFactor = scaling.Number("high_freq_factor"),
            },
            "longrope" or "su" => LongRope(keys, scaling, context),
            _ => throw scaling.Fault(scaling.Has("rope_type") ? "rope_type" : "type", "is a scaling that is not supported; those that are: linear, dynamic, yarn, llama3, longrope"),
        };
    }

    private static LongRopeConfig LongRope(ForeignConfig keys, ForeignConfig scaling, int context)
    {
        int original = keys.Integer(OriginalKey, scaling.Integer(OriginalKey, context));
        return new LongRopeConfig
        {
            ShortFactor = scaling.Numbers("short_factor") ?? throw scaling.Fault("short_factor", "is missing"),
            LongFactor = scaling.Numbers("long_factor") ?? throw scaling.Fault("long_factor", "is missing"),
            Original = original,
            Factor = keys.Has(OriginalKey) && original > 0 ? (double)keys.Integer("max_position_embeddings", context) / original : scaling.Number("factor", 1),
            AttentionFactor = scaling.Has("attention_factor") ? scaling.Number("attention_factor") : null,
        };
    }
}
