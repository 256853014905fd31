using System.Globalization;
using System.Text;
using NanoFold.Engine.Text;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs.Compression;

/// <summary>
/// The model that learns while it codes: a preset and single settings, in lines as a compressed file keeps them. All else follows from the seed, so that nothing more is needed to make it
/// again. It reads bytes.
/// </summary>
public sealed record PrequentialSettings
{
    private const string PresetKey = "preset", PassesKey = "passes";
    private const int MostPasses = 1000;

    /// <summary>The preset.</summary>
    public string Preset { get; init; } = Presets.Default;

    /// <summary>Settings of <c>model</c> and <c>train</c>, such as <c>model.context=128</c>.</summary>
    public IReadOnlyList<string> Settings { get; init; } = [];

    /// <summary>How many times each byte is trained on, on average.</summary>
    public double Passes { get; init; } = 8;

    /// <summary>The tokenizer.</summary>
    internal static Tokenizer Bytes { get; } = new ByteTokenizer();

    /// <summary>The configuration; steps are planned for the text.</summary>
    /// <exception cref="UserException">A setting is none that means something here.</exception>
    internal RunConfig Config()
    {
        if (!(Passes > 0 && Passes <= MostPasses))
        {
            throw UserException.Usage($"--passes {Passes.ToString(CultureInfo.InvariantCulture)}: expected a number above 0, up to {MostPasses}");
        }

        var tree = new ConfigTree(Preset);
        tree.Set("tokenizer=byte");
        foreach (string setting in Settings)
        {
            if (!setting.StartsWith("model.", StringComparison.Ordinal) && !setting.StartsWith("train.", StringComparison.Ordinal))
            {
                throw UserException.Usage($"--set {setting}: means nothing while coding; settings of model and train do");
            }

            if (setting.Contains('\n', StringComparison.Ordinal))
            {
                throw UserException.Usage($"--set {setting[..setting.IndexOf('\n', StringComparison.Ordinal)]}: has several lines; a compressed file keeps a setting a line");
            }

            tree.Set(setting);
        }

        if (Encoding.UTF8.GetByteCount(ToText()) > PackedHeader.MostSettings)
        {
            throw UserException.Usage($"--set: has more than the {PackedHeader.MostSettings} bytes that a compressed file keeps of settings");
        }

        RunConfig config = tree.Build();
        string? wrong = config.Train.Init is not null ? "train.init: there is no model to begin with in a compressed file; the code is that of a model that begins from a seed"
            : config.Train.Precision != PrecisionKind.Float32 ? "train.precision: predictions are computed in fp32"
            : config.Model.WhyNotDecoded;
        return wrong is null ? config.WithVocab(Bytes.Vocab) : throw new UserException(wrong);
    }

    /// <summary>As a compressed file keeps it.</summary>
    internal string ToText() => string.Join('\n', [$"{PresetKey}={Preset}", string.Create(CultureInfo.InvariantCulture, $"{PassesKey}={Passes:R}"), .. Settings]);

    /// <summary>Reads what <see cref="ToText"/> wrote.</summary>
    internal static PrequentialSettings Parse(string text, string name)
    {
        string[] lines = text.Split('\n');
        return lines is [{ } preset, { } passes, ..] && preset.StartsWith($"{PresetKey}=", StringComparison.Ordinal) && passes.StartsWith($"{PassesKey}=", StringComparison.Ordinal)
            && double.TryParse(passes[(PassesKey.Length + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            ? new PrequentialSettings { Preset = preset[(PresetKey.Length + 1)..], Passes = number, Settings = lines[2..] }
            : throw new UserException($"{name}: the settings of its model cannot be read");
    }
}
