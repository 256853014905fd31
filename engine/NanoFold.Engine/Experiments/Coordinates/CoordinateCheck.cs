using System.Globalization;
using System.Text.Json.Serialization;

namespace NanoFold.Engine.Experiments.Coordinates;

/// <summary>
/// A coordinate check (arXiv 2203.03466, appendix D.1): how large activations are, and how much they changed, in the first steps of models of several widths. With the maximal update
/// parametrization changes are as large at every width; where they grow with it, a learning rate found at a small width is too large for a wide one.
/// </summary>
public sealed record CoordinateCheck
{
    /// <summary>The file in the folder of a comparison.</summary>
    public const string FileName = "coordinate-check.json";

    /// <summary>The version that is written.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The version of the file.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The widths of the models.</summary>
    public required IReadOnlyList<int> Widths { get; init; }

    /// <summary>Steps that were taken.</summary>
    public required int Steps { get; init; }

    /// <summary>The seeds, over which figures are means.</summary>
    public required IReadOnlyList<long> Seeds { get; init; }

    /// <summary>Of each parametrization that was checked.</summary>
    public required IReadOnlyList<ParametrizationCheck> Parametrizations { get; init; }

    /// <summary>Writes <see cref="FileName"/> into a folder.</summary>
    /// <exception cref="UserException">It cannot be written.</exception>
    public void Write(string folder) => RecordFile.Write(Path.Combine(folder, FileName), this);

    /// <summary>Reads what <see cref="Write"/> wrote; null where there is none.</summary>
    /// <exception cref="UserException">It is damaged, or was written by a newer version.</exception>
    public static CoordinateCheck? Find(string folder)
    {
        string path = Path.Combine(folder, FileName);
        return File.Exists(path) ? RecordFile.Read<CoordinateCheck>(path, CurrentVersion, check => check.Version) : null;
    }
}

/// <summary>How changes of activations depend on the width.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CoordinateVerdict>))]
public enum CoordinateVerdict
{
    /// <summary>Nothing has moved at two widths, so nothing is known.</summary>
    [JsonStringEnumMemberName("still")]
    Still,

    /// <summary>Little or not at all.</summary>
    [JsonStringEnumMemberName("flat")]
    Flat,

    /// <summary>Some grow with it.</summary>
    [JsonStringEnumMemberName("growing")]
    Growing,

    /// <summary>None grows, and some become smaller.</summary>
    [JsonStringEnumMemberName("falling")]
    Falling,
}

/// <summary>The check of one parametrization.</summary>
/// <param name="Parametrization">Its kind: <c>standard</c>, <c>mup</c>.</param>
/// <param name="LearningRate">The peak, at every width.</param>
/// <param name="Points">By point, step and width.</param>
/// <param name="Slopes">By point, after the last step.</param>
public sealed record ParametrizationCheck(string Parametrization, double LearningRate, IReadOnlyList<CoordinatePoint> Points, IReadOnlyList<CoordinateSlope> Slopes)
{
    /// <summary>
    /// Changes that grow faster than this power of the width are called growing, those that fall as fast falling; √width is what the standard parametrization has at least.
    /// </summary>
    public const double MostSlope = 0.25;

    /// <summary>What the slopes of changes show; points that have not moved do not count.</summary>
    public CoordinateVerdict Verdict
    {
        get
        {
            double[] slopes = [.. Slopes.Select(slope => slope.OfChange).Where(double.IsFinite)];
            return slopes.Length == 0 ? CoordinateVerdict.Still
                : slopes.Any(slope => slope > MostSlope) ? CoordinateVerdict.Growing
                : slopes.Any(slope => slope < -MostSlope) ? CoordinateVerdict.Falling
                : CoordinateVerdict.Flat;
        }
    }

    /// <summary>Whether changes are as large at every width.</summary>
    public bool IsFlat => Verdict == CoordinateVerdict.Flat;

    /// <summary>What the check shows, in a sentence that follows the name of the parametrization.</summary>
    public string Words => Verdict switch
    {
        CoordinateVerdict.Still => "nothing has moved yet, so that the check shows nothing; more steps or a larger rate would.",
        CoordinateVerdict.Flat => $"no change grows or falls faster than a power {Most} of the width, so that a learning rate found at a small width suits a wide model.",
        CoordinateVerdict.Growing => $"changes grow with the width ({Listed(slope => slope > MostSlope)}), so that a learning rate found at a small width is too large for a wide model.",
        _ => $"changes become smaller with the width ({Listed(slope => slope < -MostSlope)}), so that a learning rate found at a small width is too small for a part of a wide model.",
    };

    private static string Most => MostSlope.ToString(CultureInfo.InvariantCulture);

    private string Listed(Func<double, bool> which)
        => string.Join(", ", Slopes.Where(slope => which(slope.OfChange)).Select(slope => string.Create(CultureInfo.InvariantCulture, $"{slope.Point} {slope.OfChange:0.00}")));
}

/// <summary>What activations of a point are like in a model.</summary>
/// <param name="Point">Its name, of all layers together: <c>hook_attn_out</c>, <c>hook_mlp_out</c>, <c>hook_resid_post</c>, <c>hook_weights</c> (of attention residuals), <c>hook_logits</c>, <c>hook_outputs</c>.</param>
/// <param name="Width">C of the model.</param>
/// <param name="Step">Steps taken, from 0.</param>
/// <param name="Size">Mean |x|.</param>
/// <param name="Change">Mean |x − x of step 0|.</param>
public sealed record CoordinatePoint(string Point, int Width, int Step, double Size, double Change);

/// <summary>The power of the width with which activations of a point grow, by least squares on logarithms.</summary>
/// <param name="Point">Its name.</param>
/// <param name="OfSize">Of mean |x| after the last step; not finite where fewer than two widths have any.</param>
/// <param name="OfChange">Of mean |x − x of step 0|; not finite where it has moved at fewer than two widths.</param>
public sealed record CoordinateSlope(string Point, double OfSize, double OfChange);
