using NanoFold.Engine.Configuration;
using NanoFold.Kernels;

namespace NanoFold.Engine.Interchange;

/// <summary>Our parameters, made of tensors of files by rules; every shape is held against the files before anything is read.</summary>
public sealed class RuledWeights : IWeights
{
    private const int PieceElements = 1 << 20;

    private readonly ITensorFiles _files;
    private readonly Dictionary<string, TensorRule> _rules;
    private readonly Dictionary<string, WeightInfo> _all;
    private readonly Lock _lock = new();
    private (string? Name, int Matrix, float[] Values) _turned = (null, 0, []);

    /// <param name="files">Open; owned by whoever opened them.</param>
    /// <param name="rules">One for each of our parameters.</param>
    /// <param name="leftOut">Names of tensors, with <c>*</c>, that a file may hold besides and that are no weights.</param>
    /// <exception cref="UserException">A tensor is missing, has another shape, cannot be read as numbers, or belongs to nothing.</exception>
    public RuledWeights(ITensorFiles files, IEnumerable<TensorRule> rules, NameGlobs leftOut)
    {
        _files = files;
        _rules = rules.ToDictionary(rule => rule.Ours, StringComparer.Ordinal);
        HashSet<string> used = [];
        foreach (TensorPart part in _rules.Values.SelectMany(rule => rule.Parts))
        {
            Require(files, part);
            used.Add(part.Theirs);
        }

        if (files.Tensors.FirstOrDefault(tensor => !used.Contains(tensor.Name) && !leftOut.Matches(tensor.Name)) is { } extra)
        {
            throw new UserException($"{extra.File}: holds '{extra.Name}', which the model of its configuration does not have");
        }

        LeftOut = [.. files.Tensors.Select(tensor => tensor.Name).Where(name => !used.Contains(name)).Order(StringComparer.Ordinal)];
        _all = _rules.Values.ToDictionary(rule => rule.Ours, rule => new WeightInfo(rule.Ours, rule.Shape, TypeOf(files, rule)), StringComparer.Ordinal);
    }

    /// <summary>Tensors of the files that are no weights.</summary>
    public IReadOnlyList<string> LeftOut { get; }

    /// <inheritdoc/>
    public IReadOnlyCollection<WeightInfo> All => _all.Values;

    /// <inheritdoc/>
    public WeightInfo? Find(string name) => _all.GetValueOrDefault(name);

    /// <inheritdoc/>
    public WeightPlace? PlaceOf(string name) => RunsOf(name) is [{ } only] ? only.Place : null;

    /// <inheritdoc/>
    public IReadOnlyList<WeightRun>? RunsOf(string name)
    {
        TensorRule rule = _rules[name];
        List<WeightRun> runs = [];
        foreach (TensorPart part in rule.Parts)
        {
            if (part.IsTransposed || _files.Find(part.Theirs)!.Place is not { } place || (runs is [{ } first, ..] && first.Place.Type != place.Type))
            {
                return null;
            }

            foreach (RowRun run in part.Runs)
            {
                if (run.Stride != 1)
                {
                    return null;
                }

                (long start, long count) = (run.Start * rule.RowElements, run.Count * rule.RowElements);
                if (place.Type.IsBlocks() && (start % DTypeExtensions.BlockValues != 0 || count % DTypeExtensions.BlockValues != 0))
                {
                    return null;
                }

                runs.Add(new WeightRun(place with { Offset = place.Offset + place.Type.Bytes(start) }, count));
            }
        }

        return runs;
    }

    /// <inheritdoc/>
    public void Read(string name, long start, Span<float> destination)
    {
        TensorRule rule = _rules[name];
        long first = 0;
        foreach (TensorPart part in rule.Parts)
        {
            foreach (RowRun run in part.Runs)
            {
                long elements = run.Count * rule.RowElements;
                long from = Math.Max(start, first), to = Math.Min(start + destination.Length, first + elements);
                if (from < to)
                {
                    Span<float> piece = destination[(int)(from - start)..(int)(to - start)];
                    ReadRun(part, run, rule.RowElements, from - first, piece);
                }

                first += elements;
            }
        }
    }

    // Elements of a run from one of them on.
    private void ReadRun(TensorPart part, RowRun run, long rowElements, long start, Span<float> destination)
    {
        if (run.Stride == 1)
        {
            ReadPart(part, (run.Start * rowElements) + start, destination);
            return;
        }

        // With what lies between the rows, a few at a time.
        int width = (int)rowElements, rows = (int)Math.Max(1, PieceElements / (rowElements * run.Stride));
        var piece = new float[((rows - 1) * run.Stride * rowElements) + rowElements];
        while (destination.Length > 0)
        {
            (long row, int skipped) = (start / rowElements, (int)(start % rowElements));
            int count = (int)Math.Min(rows, (skipped + destination.Length + rowElements - 1) / rowElements);
            Span<float> read = piece.AsSpan(0, (int)(((count - 1) * run.Stride * rowElements) + rowElements));
            ReadPart(part, run.At(row) * rowElements, read);
            for (int i = 0; i < count && destination.Length > 0; i++)
            {
                int taken = Math.Min(width - skipped, destination.Length);
                read.Slice((int)(i * run.Stride * rowElements) + skipped, taken).CopyTo(destination);
                destination = destination[taken..];
                (start, skipped) = (start + taken, 0);
            }
        }
    }

    private void ReadPart(TensorPart part, long start, Span<float> destination)
    {
        if (part.IsTransposed)
        {
            Turned(part, start, destination);
        }
        else
        {
            _files.Read(part.Theirs, start, destination);
        }
    }

    // Elements of a matrix as if it lay the other way round, which is turned as a whole and kept until another is wanted.
    private void Turned(TensorPart part, long start, Span<float> destination)
    {
        lock (_lock)
        {
            if ((_turned.Name, _turned.Matrix) != (part.Theirs, part.Matrix))
            {
                (int rows, int columns) = ((int)part.Shape[^2], (int)part.Shape[^1]);
                var values = new float[checked(rows * columns)];
                var piece = new float[Math.Min(values.Length, Math.Max(columns, PieceElements / columns * columns))];
                for (int done = 0; done < values.Length; done += piece.Length)
                {
                    Span<float> read = piece.AsSpan(0, Math.Min(piece.Length, values.Length - done));
                    _files.Read(part.Theirs, ((long)part.Matrix * values.Length) + done, read);
                    for (int i = 0; i < read.Length; i++)
                    {
                        values[((done + i) % columns * rows) + ((done + i) / columns)] = read[i];
                    }
                }

                _turned = (part.Theirs, part.Matrix, values);
            }

            _turned.Values.AsSpan((int)start, destination.Length).CopyTo(destination);
        }
    }

    // The type of all pieces, or one that holds them all.
    private static string TypeOf(ITensorFiles files, TensorRule rule) =>
        rule.Parts.Select(part => files.Find(part.Theirs)!.Type).Distinct().ToArray() is [{ } only] ? only : "F32";

    private static void Require(ITensorFiles files, TensorPart part)
    {
        TensorEntry entry = files.Find(part.Theirs)
            ?? throw new UserException($"{files.Paths[0]}: '{part.Theirs}' is missing{(files.Paths.Count > 1 ? $" in all {files.Paths.Count} files" : "")}");
        if (!entry.Shape.SequenceEqual(part.Shape))
        {
            throw new UserException($"{entry.File}: '{entry.Name}' is [{string.Join(", ", entry.Shape)}]; its configuration expects [{string.Join(", ", part.Shape)}]");
        }

        if (!entry.IsReal)
        {
            throw new UserException($"{entry.File}: '{entry.Name}' is of type {entry.Type}, which holds no real numbers as they are; use a file of F32, F16 or BF16");
        }
    }
}
