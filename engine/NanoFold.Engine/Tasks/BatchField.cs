using NanoFold.Kernels;

namespace NanoFold.Engine.Tasks;

/// <summary>A named part of a batch: whole numbers, such as tokens, or reals, such as features; [B, …<see cref="Row"/>].</summary>
public sealed class BatchField
{
    /// <summary>The tokens that a model reads, Int32 [B, T].</summary>
    public const string Tokens = "tokens";

    /// <summary>What a model is to say at each place, Int32 [B, T]; −1 where it is not asked.</summary>
    public const string Targets = "targets";

    /// <summary>The document that each place is of, Int32 [B, T].</summary>
    public const string Documents = "documents";

    /// <summary>The reals that a model reads in place of tokens, [B, T, F].</summary>
    public const string Features = "features";

    /// <summary>What a read-out is to give at each place, [B, T, O]; of account where <see cref="Targets"/> are not −1.</summary>
    public const string Values = "values";

    /// <summary>First places of each row that all its places see, Int32 [B]; of models whose visibility is a prefix.</summary>
    public const string Prefixes = "prefixes";

    /// <summary>The position of each place in its document, Int32 [B, T]; of models whose positions are learned, where documents begin anew.</summary>
    public const string Positions = "positions";

    /// <summary>What sets the places of a task apart where it scores them, such as a distance, Int32 [B, T]; −1 where nothing is asked. No input of a model.</summary>
    public const string Groups = "groups";

    private BatchField(string name, DType type, int empty, int[] row)
    {
        if (row.FirstOrDefault(length => length < 1, 1) is var wrong and < 1)
        {
            throw new ArgumentException($"batch field {name}: a row of [{string.Join(", ", row)}] has a dimension of {wrong}, expected at least 1");
        }

        (Name, Type, Empty, Row) = (name, type, empty, row);
        RowCount = checked((int)row.Aggregate(1L, (count, length) => count * length));
    }

    /// <summary>By which it is found; of one task each has another.</summary>
    public string Name { get; }

    /// <summary><see cref="DType.Int32"/>, or <see cref="DType.Float32"/> for reals.</summary>
    public DType Type { get; }

    /// <summary>The shape of one row, such as [T]; empty for a number a row.</summary>
    public IReadOnlyList<int> Row { get; }

    /// <summary>Elements of one row.</summary>
    public int RowCount { get; }

    /// <summary>What a row is full of before a task fills it, and rows after the last stay full of.</summary>
    public int Empty { get; }

    /// <summary>Whether the model is given it; if not, only those are that look at what was read, such as the measurements of the stream.</summary>
    public bool IsInput { get; init; } = true;

    /// <summary>Whether scores read it though it is no input.</summary>
    public bool IsScored { get; init; }

    /// <summary>Whole numbers.</summary>
    /// <param name="name">By which it is found.</param>
    /// <param name="empty">What a row is full of before a task fills it.</param>
    /// <param name="row">The shape of one row.</param>
    public static BatchField Integers(string name, int empty, params int[] row) => new(name, DType.Int32, empty, row);

    /// <summary>Reals; a row is full of 0 before a task fills it.</summary>
    /// <param name="name">By which it is found.</param>
    /// <param name="row">The shape of one row.</param>
    public static BatchField Reals(string name, params int[] row) => new(name, DType.Float32, 0, row);

    /// <summary>Tokens and targets of rows of so many places.</summary>
    public static IReadOnlyList<BatchField> OfTokens(int time) => [Integers(Tokens, 0, time), Integers(Targets, -1, time)];

    /// <summary>The groups of rows of so many places.</summary>
    public static BatchField OfGroups(int time) => OfScores(Groups, time);

    /// <summary>A whole number for each place of rows of so many, −1 where there is none, that only scores read.</summary>
    internal static BatchField OfScores(string name, int time) => new(name, DType.Int32, -1, [time]) { IsInput = false, IsScored = true };

    /// <summary>A real for each place of rows of so many that only scores read.</summary>
    internal static BatchField RealsOfScores(string name, int time) => new(name, DType.Float32, 0, [time]) { IsInput = false, IsScored = true };

    /// <summary>The positions of rows of so many places.</summary>
    public static BatchField OfPositions(int time) => Integers(Positions, 0, time);

    /// <summary>The documents of rows of so many places; −1 where there is none.</summary>
    public static BatchField OfDocuments(int time, bool isInput = true) => new(Documents, DType.Int32, -1, [time]) { IsInput = isInput };
}

/// <summary>The shape of a batch.</summary>
/// <param name="Rows">Rows, B.</param>
/// <param name="Time">Places a row, T.</param>
public readonly record struct BatchShape(int Rows, int Time)
{
    /// <summary>Places, B · T.</summary>
    public int Places => Rows * Time;

    /// <summary>A batch of about 4,096 places: enough for matrix products to be fast where nothing is trained.</summary>
    public static BatchShape ToEvaluate(int time) => new(Math.Max(1, Math.Min(64, 4096 / time)), time);
}
