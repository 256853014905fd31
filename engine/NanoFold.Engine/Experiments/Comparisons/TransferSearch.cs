using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>The model at which the rates of a variant are tried, where that has another width: by µP rates carry over where hidden widths keep their ratio to the width.</summary>
internal static class TransferSearch
{
    public const string Width = "model.width";

    // The key that hidden widths follow is one of them, or none.
    private static readonly string[] s_hidden = ["model.hidden", "model.feedForward.hidden"];

    /// <summary>A variant at another width.</summary>
    /// <param name="config">As it is compared.</param>
    /// <param name="width">At which rates are tried.</param>
    /// <param name="build">The variant with other sizes.</param>
    /// <exception cref="ConfigException">There is no such model.</exception>
    public static RunConfig Of(RunConfig config, int width, Func<IReadOnlyList<(string Key, JsonNode Value)>, RunConfig> build)
    {
        RunConfig small = build([(Width, width)]);
        int hidden = (int)Math.Max(1, Math.Round((double)config.Model.Hidden * width / config.Model.Width));
        if (small.Model.Hidden == hidden)
        {
            return small;
        }

        string? key = s_hidden.FirstOrDefault(key => Follows(small, [(Width, width), (key, 2 * small.Model.Hidden)], build));
        return key is null ? small : build([(Width, width), (key, hidden)]);
    }

    private static bool Follows(RunConfig small, IReadOnlyList<(string Key, JsonNode Value)> sizes, Func<IReadOnlyList<(string Key, JsonNode Value)>, RunConfig> build)
    {
        try
        {
            return CostModel.Of(build(sizes).Model).Parameters != CostModel.Of(small.Model).Parameters;
        }
        catch (ConfigException)
        {
            return false;
        }
    }
}
