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

/// <summary>The check of one parametrization.</summary>
/// <param name="Parametrization">Its kind: <c>standard</c>, <c>mup</c>.</param>
/// <param name="LearningRate">The peak, at every width.</param>
/// <param name="Points">By point, step and width.</param>
/// <param name="Slopes">By point, after the last step.</param>
/// <param name="IsFlat">Whether no change grows faster than width^<see cref="MostSlope"/>.</param>
public sealed record ParametrizationCheck(string Parametrization, double LearningRate, IReadOnlyList<CoordinatePoint> Points, IReadOnlyList<CoordinateSlope> Slopes, bool IsFlat)
{
    /// <summary>Changes that grow faster than this power of the width are called growing; √width is what the standard parametrization has at least.</summary>
    public const double MostSlope = 0.25;
}

/// <summary>What activations of a point are like in a model.</summary>
/// <param name="Point">Its name, of all layers together: <c>hook_attn_out</c>, <c>hook_mlp_out</c>, <c>hook_resid_post</c>, <c>hook_logits</c>.</param>
/// <param name="Width">C of the model.</param>
/// <param name="Step">Steps taken, from 0.</param>
/// <param name="Size">Mean |x|.</param>
/// <param name="Change">Mean |x − x of step 0|.</param>
public sealed record CoordinatePoint(string Point, int Width, int Step, double Size, double Change);

/// <summary>The power of the width with which activations of a point grow, by least squares on logarithms.</summary>
/// <param name="Point">Its name.</param>
/// <param name="OfSize">Of mean |x| after the last step.</param>
/// <param name="OfChange">Of mean |x − x of step 0|.</param>
public sealed record CoordinateSlope(string Point, double OfSize, double OfChange);
