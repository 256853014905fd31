using System.Globalization;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Text;
using NanoFold.Reports.Runs;

namespace NanoFold.Reports.Geometry;

/// <summary>What was measured of a run's residual stream: while it trained, and after training by <c>geometry</c>, where that was done.</summary>
internal sealed class RunGeometry
{
    /// <summary>Where <c>geometry</c> writes unless another folder is named, within the run's.</summary>
    public const string Folder = "geometry";

    private const string LinesFile = "geometry.jsonl", ArraysFile = "geometry.npz";

    private readonly Lazy<Tokenizer?> _tokenizer;
    private readonly ILookup<string, GeometryPoint> _while, _after;
    private readonly string _arrays;

    private RunGeometry(RunRecord run, IReadOnlyList<GeometryPoint> after)
    {
        (While, After) = (run.Geometry, after);
        (_while, _after) = (While.ToLookup(point => point.Measure), after.ToLookup(point => point.Measure));
        _arrays = Path.Combine(run.FullPath, Folder, ArraysFile);
        _tokenizer = new Lazy<Tokenizer?>(() => TokenizerOf(run.FullPath));
    }

    /// <summary>Figures while the run trained.</summary>
    public IReadOnlyList<GeometryPoint> While { get; }

    /// <summary>Figures after training, of checkpoints and controls.</summary>
    public IReadOnlyList<GeometryPoint> After { get; }

    /// <summary>Reads what there is. A damaged file of after training is an error; a line that is torn is passed over.</summary>
    /// <exception cref="UserException">A file cannot be read.</exception>
    public static RunGeometry Of(RunRecord run)
    {
        string lines = Path.Combine(run.FullPath, Folder, LinesFile);
        return new RunGeometry(run, File.Exists(lines) ? [.. JsonLinesLog.Read(lines).SelectMany(GeometryPoint.Of)] : []);
    }

    /// <summary>
    /// Figures of a measure over depth and steps: those after training where there are any of that name, which know controls, otherwise those of training.
    /// </summary>
    public IReadOnlyList<GeometryPoint> Of(string measure, Func<string, bool> figure)
    {
        GeometryPoint[] after = [.. _after[measure].Where(point => figure(point.Figure))];
        return after.Length > 0 ? after : [.. _while[measure].Where(point => figure(point.Figure))];
    }

    /// <summary>The arrays of a measure by name, in the order of steps: <c>measure/point/step/name</c>.</summary>
    /// <param name="measure">Its kind.</param>
    /// <param name="names">Those that are read.</param>
    /// <param name="chooses">Which steps are read, of those that there are; null for all.</param>
    public IReadOnlyList<StoredArray> Arrays(string measure, IReadOnlyList<string> names, Func<IReadOnlyList<long>, IReadOnlyList<long>>? chooses = null)
    {
        if (!File.Exists(_arrays))
        {
            return [];
        }

        using NpzReader reader = NpzReader.Open(_arrays);
        // A control is a part of the name more; points have no slash.
        (string Name, string Point, long Step, string Array)[] found =
        [
            .. from name in reader.Names
               let parts = name.Split('/')
               where parts.Length == 4 && parts[0] == measure && names.Contains(parts[3]) && long.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out _)
               select (name, parts[1], long.Parse(parts[2], CultureInfo.InvariantCulture), parts[3]),
        ];
        long[] steps = [.. found.Select(array => array.Step).Distinct().Order()];
        HashSet<long> chosen = [.. chooses?.Invoke(steps) ?? steps];
        return
        [
            .. from array in found
               where chosen.Contains(array.Step)
               orderby array.Step
               let read = reader.Read(array.Name)!.Value
               select new StoredArray(array.Point, array.Step, array.Array, read.Shape, read.Values),
        ];
    }

    /// <summary>What a token reads like; its number where the run has no tokenizer.</summary>
    public string Token(int id)
    {
        string text = _tokenizer.Value is { } tokenizer && id >= 0 && id < tokenizer.Vocab ? tokenizer.Describe(id) : id.ToString(CultureInfo.InvariantCulture);
        return text.Replace("\n", "⏎", StringComparison.Ordinal).Replace("\t", "⇥", StringComparison.Ordinal);
    }

    private static Tokenizer? TokenizerOf(string run)
    {
        try
        {
            return SavedTokenizer.Load(run);
        }
        catch (UserException)
        {
            // A task without text, or a run without a checkpoint: tokens are numbers then.
            return null;
        }
    }
}

/// <summary>An array of <c>geometry.npz</c>.</summary>
/// <param name="Point">Where it was taken, with the second point or checkpoint after <c>+</c>.</param>
/// <param name="Step">Steps that the model had taken.</param>
/// <param name="Name">Its name within the measure.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Values">Row-major.</param>
internal sealed record StoredArray(string Point, long Step, string Name, int[] Shape, double[] Values)
{
    /// <summary>The block it is of; null where the point is of none.</summary>
    public int? Layer => Point.Split('.') is ["blocks", var layer, ..] && int.TryParse(layer, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
}
