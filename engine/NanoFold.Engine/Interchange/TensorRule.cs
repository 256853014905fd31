namespace NanoFold.Engine.Interchange;

/// <summary>
/// How one of our parameters is made of tensors of another program, and these of ours: its rows are those of its parts, one after the other. Values do not change;
/// rows are chosen, ordered and transposed, so that a rule holds both ways.
/// </summary>
/// <param name="Ours">Our name.</param>
/// <param name="Shape">Our shape.</param>
/// <param name="RowElements">Elements of a row: of what is moved in one piece.</param>
/// <param name="Parts">Where the rows are; empty where the other program has no such tensor.</param>
public sealed record TensorRule(string Ours, IReadOnlyList<int> Shape, long RowElements, IReadOnlyList<TensorPart> Parts)
{
    /// <summary>Elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, extent) => product * extent);

    /// <summary>The same under another name; or in another shape, where its elements lie in the same order.</summary>
    /// <param name="ours">Our parameter.</param>
    /// <param name="theirs">Its name there.</param>
    /// <param name="shape">Its shape there; null for ours.</param>
    public static TensorRule Same(WeightInfo ours, string theirs, IReadOnlyList<long>? shape = null) =>
        Of(ours, InRows(ours.Shape), [new(theirs, shape ?? Longs(ours.Shape), [new(0, ours.Shape[0])])]);

    /// <summary>Some rows of a matrix, or elements of a vector, that is joined of several of ours.</summary>
    /// <param name="ours">Our parameter.</param>
    /// <param name="theirs">The joined tensor.</param>
    /// <param name="rows">All rows that it has.</param>
    /// <param name="runs">Those that are ours, in our order.</param>
    public static TensorRule Rows(WeightInfo ours, string theirs, long rows, params IReadOnlyList<RowRun> runs) =>
        Of(ours, InRows(ours.Shape), [new(theirs, [rows, .. Longs(ours.Shape).Skip(1)], runs)]);

    /// <summary>The same of a tensor of some other shape than ours, such as one with a dimension of 1.</summary>
    public static TensorRule Rows(WeightInfo ours, string theirs, IReadOnlyList<long> shape, params IReadOnlyList<RowRun> runs) =>
        Of(ours, InRows(ours.Shape), [new(theirs, shape, runs)]);

    /// <summary>Every few elements of a tensor in which those of several of ours take turns.</summary>
    /// <param name="ours">Our parameter.</param>
    /// <param name="theirs">The joined tensor.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="start">The first element that is ours.</param>
    /// <param name="stride">How far the next one lies from each.</param>
    public static TensorRule Strided(WeightInfo ours, string theirs, IReadOnlyList<long> shape, long start, long stride) =>
        Of(ours, 1, [new(theirs, shape, [new(start, Longs(ours.Shape).Aggregate((a, b) => a * b)) { Stride = stride }])]);

    /// <summary>A matrix [out, in] that lies transposed there, [in, out], as in <c>y = x W</c>.</summary>
    /// <param name="ours">Our parameter.</param>
    /// <param name="theirs">Its name there.</param>
    /// <param name="columns">All columns that it has there.</param>
    /// <param name="start">The first that is ours.</param>
    public static TensorRule Transposed(WeightInfo ours, string theirs, long columns = 0, long start = 0) =>
        Of(ours, ours.Shape[1], [new(theirs, [ours.Shape[1], columns > 0 ? columns : ours.Shape[0]], [new(start, ours.Shape[0])]) { IsTransposed = true }]);

    /// <summary>A stack of tensors that lie one by one there, such as the matrices of experts.</summary>
    /// <param name="ours">Our parameter, [n, ..].</param>
    /// <param name="theirs">The name of each.</param>
    public static TensorRule Stack(WeightInfo ours, Func<int, string> theirs)
    {
        IReadOnlyList<long> shape = [.. Longs(ours.Shape).Skip(1)];
        return Of(ours, InRows([.. ours.Shape.Skip(1)]), [.. Enumerable.Range(0, ours.Shape[0]).Select(i => new TensorPart(theirs(i), shape, [new(0, shape[0])]))]);
    }

    /// <summary>A stack [n, out, in] that lies there as one tensor of transposed matrices, [n, in, columns].</summary>
    /// <param name="ours">Our parameter.</param>
    /// <param name="theirs">Its name there.</param>
    /// <param name="columns">All columns of a matrix there; 0 for as many as are ours.</param>
    /// <param name="start">The first that is ours.</param>
    /// <param name="stride">How far the next one lies from each.</param>
    public static TensorRule TransposedStack(WeightInfo ours, string theirs, long columns = 0, long start = 0, long stride = 1)
    {
        IReadOnlyList<long> shape = [ours.Shape[0], ours.Shape[2], columns > 0 ? columns : ours.Shape[1]];
        return Of(ours, ours.Shape[2], [.. Enumerable.Range(0, ours.Shape[0]).Select(i =>
            new TensorPart(theirs, shape, [new(start, ours.Shape[1]) { Stride = stride }]) { IsTransposed = true, Matrix = i })]);
    }

    /// <summary>Tensors of equal shape that lie one by one there, and one after the other here, such as the gains of each head's norm.</summary>
    /// <param name="ours">Our parameter, [count · n, ..].</param>
    /// <param name="count">How many there are.</param>
    /// <param name="theirs">The name of each.</param>
    public static TensorRule Joined(WeightInfo ours, int count, Func<int, string> theirs)
    {
        long rows = ours.Shape[0] / count;
        return Of(ours, InRows(ours.Shape), [.. Enumerable.Range(0, count).Select(i => new TensorPart(theirs(i), [rows, .. Longs(ours.Shape).Skip(1)], [new(0, rows)]))]);
    }

    private static TensorRule Of(WeightInfo ours, long rowElements, IReadOnlyList<TensorPart> parts) => new(ours.Name, ours.Shape, rowElements, parts);

    private static long InRows(IReadOnlyList<int> shape) => shape.Skip(1).Aggregate(1L, (product, extent) => product * extent);

    private static IReadOnlyList<long> Longs(IReadOnlyList<int> shape) => [.. shape.Select(extent => (long)extent)];
}

/// <summary>Rows of one tensor of another program.</summary>
/// <param name="Theirs">Its name.</param>
/// <param name="Shape">Its whole shape.</param>
/// <param name="Runs">Which rows, in our order.</param>
public sealed record TensorPart(string Theirs, IReadOnlyList<long> Shape, IReadOnlyList<RowRun> Runs)
{
    /// <summary>Its columns are our rows.</summary>
    public bool IsTransposed { get; init; }

    /// <summary>Which matrix of a stack of them.</summary>
    public int Matrix { get; init; }

    /// <summary>How many rows of ours it has.</summary>
    public long Rows => Runs.Sum(run => run.Count);

    /// <summary>How many rows it has in all, ours or not.</summary>
    public long AllRows => IsTransposed ? Shape[^1] : Shape[0];

    /// <summary>Elements of all of it.</summary>
    public long Count => Shape.Aggregate(1L, (product, extent) => product * extent);
}

/// <summary>Rows one after the other.</summary>
/// <param name="Start">The first.</param>
/// <param name="Count">How many.</param>
public readonly record struct RowRun(long Start, long Count)
{
    /// <summary>How far the next row lies from each: 1, or more where those between are of others.</summary>
    public long Stride { get; init; } = 1;

    /// <summary>The place of one of them.</summary>
    public long At(long row) => Start + (row * Stride);
}
