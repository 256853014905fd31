using System.Globalization;
using NanoFold.Engine.Model;
using NanoFold.Engine.Taps;
using NanoFold.Tests.FeedForward.References;
using NanoFold.Tests.Mixers.References;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Taps;

/// <summary>Points of a model with lengths in place of letters.</summary>
internal static class TapShapes
{
    /// <summary>Values without those of keys that a query does not see: scores are −∞ there.</summary>
    public static double[] Seen(string name, double[] values) =>
        name.EndsWith("hook_attn_scores", StringComparison.Ordinal) ? [.. values.Where(v => !double.IsNegativeInfinity(v))] : values;

    /// <summary>The dimensions of a point in a model, of its declared letters.</summary>
    public static int[] Of(TapPoint point, TinyModel model)
    {
        ModelConfig config = model.Model.Config;
        int layer = point.Name.StartsWith("blocks.", StringComparison.Ordinal) ? int.Parse(point.Name.Split('.')[1], CultureInfo.InvariantCulture) : 0;
        LayerConfig parts = config.LayerConfigs()[layer];
        return [.. point.Shape.Split(' ').Select(letter => letter switch
        {
            "B" => model.Batch,
            "T" => model.Time,
            "C" => config.Width,
            "V" => config.Vocab,
            "F" => parts.FeedForward.HiddenFor(config),
            _ when MixerReference.Of(parts.Mixer).Length(letter, parts.Mixer, config) is { } own => own,
            _ when FeedForwardReference.Of(parts.FeedForward).Length(letter, parts.FeedForward) is { } own => own,
            _ => int.Parse(letter, CultureInfo.InvariantCulture),
        })];
    }
}
