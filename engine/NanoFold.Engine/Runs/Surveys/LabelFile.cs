using System.Globalization;
using NanoFold.Engine.Data;
using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Engine.Runs.Surveys;

/// <summary>
/// Labels of a text's tokens, in a file with tabs between columns and a first line of names. Its first column is <c>token</c>, the number of a token of the text from 0, or
/// <c>byte</c>, the number of a byte, which stands for the token that holds it; each of the others is a column of classes, an empty cell for none.
/// </summary>
internal sealed class LabelFile
{
    private const string ByToken = "token", ByByte = "byte";
    private const int MostLines = 50_000_000;

    private readonly string _path;
    private readonly bool _isByByte;
    private readonly string[] _names;
    private readonly List<string>[] _classes;
    private readonly Dictionary<long, int[]> _rows = [];

    private LabelFile(string path, string[] header)
    {
        _path = path;
        _isByByte = header[0] == ByByte;
        _names = header[1..];
        _classes = [.. _names.Select(_ => new List<string>())];
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="UserException">It cannot be read, or a line is wrong.</exception>
    public static LabelFile Read(string path)
    {
        try
        {
            using var reader = new StreamReader(path);
            string[] header = (reader.ReadLine() ?? "").Split('\t');
            if (header is not [ByToken or ByByte, _, ..] || header.Any(name => name.Length == 0) || header.Distinct().Count() < header.Length)
            {
                throw new UserException($"{path}: expected a first line of names with tabs between them: {ByToken} or {ByByte}, then one or more columns of labels, each another");
            }

            if (header.Skip(1).FirstOrDefault(name => name is LabelColumn.Token or LabelColumn.Next or LabelColumn.Position) is { } taken)
            {
                throw new UserException($"{path}: every token has labels {taken} anyway; call the column otherwise");
            }

            var file = new LabelFile(path, header);
            Dictionary<string, int>[] numbers = [.. file._names.Select(_ => new Dictionary<string, int>(StringComparer.Ordinal))];
            for (int line = 2; reader.ReadLine() is { } text; line++)
            {
                if (text.Length > 0)
                {
                    file.Add(text.Split('\t'), line, numbers);
                }
            }

            return file;
        }
        catch (Exception exception) when (FileFault.Is(exception))
        {
            throw FileFault.Describe("cannot read", path, exception);
        }
    }

    /// <summary>The columns of rows of a text.</summary>
    /// <param name="text">Its tokens.</param>
    /// <param name="byteLengths">Bytes of each token of the vocabulary.</param>
    /// <param name="starts">The number of each row's first token.</param>
    /// <param name="shape">How many rows there are, and places of each.</param>
    /// <exception cref="UserException">None of the rows has a label.</exception>
    public IReadOnlyList<LabelColumn> Of(TokenShard text, ReadOnlySpan<int> byteLengths, IReadOnlyList<long> starts, ProbeShape shape)
    {
        Dictionary<long, int[]> rows = _isByByte ? ByTokens(text, byteLengths) : _rows;
        return Columns(rows, starts, shape, text.Tokens);
    }

    /// <summary>The columns of one row: a prompt.</summary>
    public IReadOnlyList<LabelColumn> OfPrompt(ReadOnlySpan<int> tokens, ReadOnlySpan<int> byteLengths, ProbeShape shape)
    {
        Dictionary<long, int[]> rows = _rows;
        if (_isByByte)
        {
            rows = [];
            long at = 0;
            Take(tokens, byteLengths, 0, ref at, rows);
        }

        return Columns(rows, [0], shape, tokens.Length);
    }

    private void Add(string[] cells, int line, Dictionary<string, int>[] numbers)
    {
        if (cells.Length != _names.Length + 1 || !long.TryParse(cells[0], NumberStyles.None, CultureInfo.InvariantCulture, out long at) || line > MostLines)
        {
            throw new UserException($"{_path}:{line}: expected {_names.Length + 1} cells with tabs between them, the first a number from 0");
        }

        var classes = new int[_names.Length];
        for (int i = 0; i < classes.Length; i++)
        {
            string name = cells[i + 1];
            if (name.Length > 0 && !numbers[i].ContainsKey(name))
            {
                numbers[i].Add(name, numbers[i].Count);
                _classes[i].Add(name);
            }

            classes[i] = name.Length > 0 ? numbers[i][name] : -1;
        }

        if (!_rows.TryAdd(at, classes))
        {
            throw new UserException($"{_path}:{line}: {cells[0]} is there already");
        }
    }

    private IReadOnlyList<LabelColumn> Columns(Dictionary<long, int[]> rows, IReadOnlyList<long> starts, ProbeShape shape, long tokens)
    {
        int[][] values = [.. _names.Select(_ => Enumerable.Repeat(-1, shape.Tokens).ToArray())];
        bool any = false;
        for (int row = 0; row < starts.Count; row++)
        {
            for (int t = 0; t < shape.Time && starts[row] + t < tokens; t++)
            {
                if (rows.TryGetValue(starts[row] + t, out int[]? classes))
                {
                    any = true;
                    for (int i = 0; i < classes.Length; i++)
                    {
                        values[i][(row * shape.Time) + t] = classes[i];
                    }
                }
            }
        }

        return any
            ? [.. _names.Select((name, i) => new LabelColumn(name, _classes[i], values[i]))]
            : throw new UserException($"{_path}: labels none of the {shape.Tokens} tokens that are measured of {tokens}; label more of them, or measure more with --tokens");
    }

    // Bytes of the text as its tokens hold them; those of special tokens are none.
    private Dictionary<long, int[]> ByTokens(TokenShard text, ReadOnlySpan<int> byteLengths)
    {
        var found = new Dictionary<long, int[]>();
        var piece = new int[1 << 16];
        long at = 0;
        for (long start = 0; start < text.Tokens; start += piece.Length)
        {
            Span<int> tokens = piece.AsSpan(0, (int)Math.Min(piece.Length, text.Tokens - start));
            text.Copy(start, tokens);
            Take(tokens, byteLengths, start, ref at, found);
        }

        return found;
    }

    private void Take(ReadOnlySpan<int> tokens, ReadOnlySpan<int> byteLengths, long start, ref long at, Dictionary<long, int[]> found)
    {
        for (int i = 0; i < tokens.Length; i++)
        {
            for (int end = byteLengths[tokens[i]]; end > 0; end--, at++)
            {
                if (_rows.TryGetValue(at, out int[]? classes))
                {
                    found.TryAdd(start + i, classes);
                }
            }
        }
    }
}
