using System.Text.Json.Serialization;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Experiments.Baselines;

/// <summary>
/// <c>baselines.json</c> of a set of runs: what is reached without a neural network on what the runs are evaluated on, once for each text with its tokenizer and for each task.
/// </summary>
public sealed record BaselineFile
{
    /// <summary>The file's name inside the folder of a set.</summary>
    public const string FileName = "baselines.json";

    /// <summary>The version that is written; newer ones are refused.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Of the file.</summary>
    public required int Version { get; init; }

    /// <summary>In the order of the runs that they belong to.</summary>
    public required IReadOnlyList<BaselineEntry> Baselines { get; init; }

    /// <summary>Those of a run; null where none were made.</summary>
    /// <param name="key">The run's <see cref="BaselineKey"/>.</param>
    public BaselineEntry? Of(string key) => Baselines.FirstOrDefault(entry => entry.Key == key);

    /// <summary>Reads the file of a set; null where it has none.</summary>
    /// <exception cref="UserException">It is damaged or was written by a newer version.</exception>
    public static BaselineFile? Find(string folder)
    {
        string path = Path.Combine(folder, FileName);
        return File.Exists(path) ? RecordFile.Read<BaselineFile>(path, CurrentVersion, file => file.Version) : null;
    }
}

/// <summary>What is reached without a neural network on one text or task.</summary>
public sealed record BaselineEntry
{
    /// <summary>By which a run finds it: see <see cref="BaselineKey"/>.</summary>
    public required string Key { get; init; }

    /// <summary>The kind of the task: <c>text</c>, <c>mqar</c>.</summary>
    public required string Task { get; init; }

    /// <summary>The corpus, or what the task calls itself.</summary>
    public required string Name { get; init; }

    /// <summary>What losses are counted in.</summary>
    public required string Unit { get; init; }

    /// <summary>The scores of one who knows nothing, where they are known.</summary>
    public IReadOnlyList<Score> Guessing { get; init; } = [];

    /// <summary>The best scores that any model can have, where they are known.</summary>
    public IReadOnlyList<Score> Best { get; init; } = [];

    /// <summary>What the task's own simple methods score, such as counting pairs of tokens.</summary>
    public IReadOnlyList<Baseline> Simple { get; init; } = [];

    /// <summary>Of text: counts of short sequences.</summary>
    public NGramBaseline? NGram { get; init; }

    /// <summary>Of text: general compressors.</summary>
    public IReadOnlyList<CompressorBaseline> Compressors { get; init; } = [];
}

/// <summary>An n-gram model of the run's own tokens, on the run's own targets.</summary>
/// <param name="Order">Tokens of the longest sequence counted, the predicted one included.</param>
/// <param name="TrainTokens">Tokens that were counted.</param>
/// <param name="Targets">Targets that it was evaluated on: all that are held back, up to a limit.</param>
/// <param name="Loss">Mean over them, in nats.</param>
public sealed record NGramBaseline(int Order, long TrainTokens, long Targets, double Loss)
{
    /// <summary>Of text.</summary>
    public double? BitsPerByte { get; init; }

    /// <summary>On the rows that evaluations of the runs take, for each length of row and number of rows among them.</summary>
    public IReadOnlyList<NGramRows> OnRows { get; init; } = [];

    /// <summary>The same targets told apart by frequency and by the part of the document; not by <c>position</c>, for rows mean nothing to it.</summary>
    public IReadOnlyList<ScoreBreakdown> Breakdowns { get; init; } = [];

    /// <summary>What it took.</summary>
    public double Seconds { get; init; }

    /// <summary>The loss on the rows that evaluations of a run take on its way; null where it was not asked for these.</summary>
    public NGramRows? On(int context, long rows) => OnRows.Cast<NGramRows?>().FirstOrDefault(found => found!.Value.Context == context && found.Value.Asked == rows);
}

/// <summary>The n-gram model on the same rows as evaluations of a run.</summary>
/// <param name="Context">Places of a row.</param>
/// <param name="Asked">The run's <c>train.evaluationWindows</c>; 0 for all rows.</param>
/// <param name="Rows">Rows taken, evenly spaced; fewer where there are no more. For rows of more than a million places stand 1,024 of 1,024 places.</param>
/// <param name="Loss">Mean, in nats.</param>
public readonly record struct NGramRows(int Context, long Asked, long Rows, double Loss)
{
    /// <summary>Of text.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? BitsPerByte { get; init; }
}

/// <summary>A general compressor on the held-back text.</summary>
/// <param name="Name"><c>xz</c> or <c>zstd</c>.</param>
/// <param name="Setting">Its level and window.</param>
/// <param name="Alone">Bits per byte of the held-back text compressed by itself.</param>
/// <param name="AfterTraining">Bits per byte that it adds to the compressed text trained on: what a model of that text is to be compared with.</param>
/// <param name="Bytes">Of the held-back text that were compressed.</param>
/// <param name="TrainBytes">Of the text trained on, its end, that came before.</param>
/// <param name="Seconds">What it took.</param>
public readonly record struct CompressorBaseline(string Name, string Setting, double Alone, double AfterTraining, long Bytes, long TrainBytes, double Seconds);
