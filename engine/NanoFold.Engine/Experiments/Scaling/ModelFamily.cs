using System.Globalization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Scaling;

/// <summary>
/// Models of one recipe in several sizes: a width decides about the rest. Heads keep their width, layers and hidden the ratio that they have to the width; what follows from the width
/// by itself is left to that.
/// </summary>
public sealed class ModelFamily
{
    private const int HiddenStep = 8;

    private readonly Func<IReadOnlyList<string>, RunConfig> _build;

    /// <param name="build">The recipe with some settings more, <c>model.width=64</c>, laid over it; called with none it gives the model that ratios are taken of.</param>
    /// <exception cref="Configuration.ConfigException">The recipe has problems.</exception>
    public ModelFamily(Func<IReadOnlyList<string>, RunConfig> build)
    {
        _build = build;
        Recipe = build([]);
    }

    /// <summary>The recipe itself, resolved.</summary>
    public RunConfig Recipe { get; }

    /// <summary>The recipe at a size.</summary>
    /// <param name="size">The size.</param>
    /// <param name="more">Settings besides.</param>
    /// <exception cref="Configuration.ConfigException">Such a model has problems.</exception>
    public RunConfig At(ModelSize size, params IReadOnlyList<string> more) => _build([.. SettingsOf(size), .. more]);

    /// <summary>The same of a size that was asked for by <c>--sizes</c>, which what is wrong with it names.</summary>
    /// <exception cref="UserException">Such a model has problems.</exception>
    public RunConfig Asked(ModelSize size, params IReadOnlyList<string> more)
    {
        try
        {
            return At(size, more);
        }
        catch (ConfigException e)
        {
            throw UserException.Usage($"--sizes {size.Width}{(size.Layers == OfWidth(size.Width).Layers ? "" : FormattableString.Invariant($"x{size.Layers}"))}: {e.Message}");
        }
    }

    /// <summary>The size of a width, as deep as the recipe's ratio has it.</summary>
    public ModelSize OfWidth(int width)
    {
        ModelConfig model = Recipe.Model;
        int blocks = Math.Max(1, (int)Math.Min(model.Layers, model.Pattern?.Sum(block => (long)block.Repeat) ?? 1));
        double layers = (double)model.Layers * width / model.Width / blocks;
        return new ModelSize(width, blocks * Math.Max(1, (int)Math.Round(layers, MidpointRounding.AwayFromZero)));
    }

    /// <summary>Reads a size: a width, <c>WIDTHxLAYERS</c>, or the name of a preset.</summary>
    /// <exception cref="UserException">It is none of them.</exception>
    public ModelSize Parse(string text)
    {
        if (Presets.Names.Contains(text))
        {
            ModelConfig preset = Presets.Of(text).Model;
            return new ModelSize(preset.Width, preset.Layers);
        }

        int?[] numbers = [.. text.Split('x').Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0 ? number : (int?)null)];
        return numbers switch
        {
            [{ } width] => OfWidth(width),
            [{ } width, { } layers] => new ModelSize(width, layers),
            _ => throw UserException.Usage($"--sizes: '{text}' is no size; expected a width such as 64, a width and layers such as 64x2, or a preset ({string.Join(", ", Presets.Names)})"),
        };
    }

    private List<string> SettingsOf(ModelSize size)
    {
        ModelConfig model = Recipe.Model;
        if (size.Width == model.Width && size.Layers == model.Layers)
        {
            return [];
        }

        double ratio = (double)size.Width / model.Width;
        bool fillsWidth = model.Heads * model.HeadDim == model.Width;
        int heads = Heads(size.Width, model.Heads * ratio, fillsWidth);
        List<string> settings = [$"model.width={size.Width}", $"model.layers={size.Layers}", $"model.heads={heads}"];
        if (!fillsWidth)
        {
            settings.Add($"model.headDim={model.HeadDim}");
        }

        if (model.KvHeads != model.Heads)
        {
            settings.Add($"model.kvHeads={Divisors(heads).MinBy(kv => Math.Abs(kv - (double)heads * model.KvHeads / model.Heads))}");
        }

        if (model.Hidden != model.FeedForward.DefaultHidden(model.Width))
        {
            settings.Add($"model.hidden={Math.Max(1, (int)Math.Round(model.Hidden * ratio / HiddenStep)) * HiddenStep}");
        }

        return settings;
    }

    // As many as keep their width, or nearly: heads fill the width evenly, with an even number of elements for positions.
    private static int Heads(int width, double wanted, bool fillsWidth)
    {
        int nearest = Math.Max(1, (int)Math.Round(wanted, MidpointRounding.AwayFromZero));
        return !fillsWidth ? nearest : Divisors(width).Where(heads => width / heads % 2 == 0 || width % 2 != 0).MinBy(heads => Math.Abs(Math.Log(heads / wanted)));
    }

    private static IEnumerable<int> Divisors(int of) => Enumerable.Range(1, of).Where(divisor => of % divisor == 0);
}

/// <summary>The size of a model.</summary>
/// <param name="Width">C.</param>
/// <param name="Layers">L.</param>
public readonly record struct ModelSize(int Width, int Layers)
{
    /// <summary>As a part of a run's name: <c>w64-l2</c>.</summary>
    public override string ToString() => $"w{Width}-l{Layers}";
}
