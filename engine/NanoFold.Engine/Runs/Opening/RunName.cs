using System.Globalization;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Runs;

/// <summary>Names of runs that were given none.</summary>
public static class RunName
{
    /// <summary>
    /// A name for a run that was given none, from what tells runs apart: preset, task where it is not text, kinds of mixer and feed-forward, optimizer and seed, then the time:
    /// <c>runs/nano-attention-swiglu-muon-seed1-20260131-093000</c>, made unique.
    /// </summary>
    public static string Unused(RunConfig config, DateTime now)
    {
        IReadOnlyList<LayerConfig> layers = config.Model.LayerConfigs();
        string[] parts =
        [
            config.Preset,
            .. config.Task.IsText ? Array.Empty<string>() : [config.Task.Kind],
            string.Join('+', layers.Select(layer => layer.Mixer.Kind).Distinct()),
            string.Join('+', layers.Select(layer => layer.FeedForward.Kind).Distinct()),
            config.Train.Optimizer.Kind,
            string.Create(CultureInfo.InvariantCulture, $"seed{config.Train.Seed}"),
            now.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture),
        ];
        string path = Path.Combine("runs", string.Join('-', parts));
        string unique = path;
        for (int i = 2; Directory.Exists(unique); i++)
        {
            unique = $"{path}-{i}";
        }

        return unique;
    }
}
