using System.Text;
using Parquet;
using Parquet.Schema;

namespace NanoFold.Engine.Corpora.Formats;

/// <summary>Reads a column of text of a Parquet file, a document a row; a group of rows is in memory at a time.</summary>
internal static class ParquetText
{
    private const long MostRows = 1 << 26;

    // What a damaged file claims can keep the reader busy without end, and without a byte more being read.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(15);

    /// <summary>Adds each row's document to <paramref name="records"/>.</summary>
    /// <param name="stream">The file, from its begin; it can be moved.</param>
    /// <param name="column">The column; dots lead into structures.</param>
    /// <param name="records">Gets the documents.</param>
    /// <param name="cancel">Ends reading.</param>
    /// <param name="patience">How long nothing may be read before the file counts as damaged.</param>
    /// <exception cref="UnreadTextException">There is no such column of text, or the file is damaged or of a kind that is not read.</exception>
    public static void Read(Stream stream, string column, RecordWriter records, CancellationToken cancel = default, TimeSpan? patience = null)
    {
        try
        {
            Task reading = Task.Run(() => ReadAsync(stream, column, records), CancellationToken.None);
            for ((long, long) before = (-1, -1), now = default; Task.WaitAny([reading], (int)(patience ?? s_patience).TotalMilliseconds, cancel) < 0; before = now)
            {
                now = (stream.Position, records.Count);
                if (now == before)
                {
                    throw Damaged("reading it comes to no end");
                }
            }

            reading.GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is not (UserException or UnreadTextException or OperationCanceledException))
        {
            // What a damaged file leads to in the reader may be any exception.
            throw Damaged(e.Message);
        }
        finally
        {
            // A reader that is left behind adds nothing more.
            records.Close();
        }
    }

    private static UnreadTextException Damaged(string how)
        => new($"is damaged, or Parquet of a kind that is not read ({how})", "write it again, or name another file");

    private static async Task ReadAsync(Stream stream, string column, RecordWriter records)
    {
        await using ParquetReader reader = await ParquetReader.CreateAsync(stream).ConfigureAwait(false);
        DataField[] fields = reader.Schema.GetDataFields();
        DataField field = Array.Find(fields, field => NameOf(field) == column)
            ?? throw new UnreadTextException($"has no column '{column}' (it has {string.Join(", ", fields.Select(NameOf))})", "name one with --field (data.field)");
        bool isText = field.ClrType == typeof(ReadOnlyMemory<char>);
        if (field.MaxRepetitionLevel > 0 || !(isText || field.ClrType == typeof(ReadOnlyMemory<byte>)))
        {
            throw new UnreadTextException($"its column '{column}' is {(field.MaxRepetitionLevel > 0 ? "a list" : field.ClrType.Name)}, no text", "name another with --field (data.field)");
        }

        for (int group = 0; group < reader.RowGroupCount; group++)
        {
            using ParquetRowGroupReader rows = reader.OpenRowGroupReader(group);
            if (rows.RowCount is < 0 or > MostRows)
            {
                throw new UnreadTextException($"has a group of {rows.RowCount} rows", $"write it with groups of at most {MostRows}");
            }

            if (isText)
            {
                string?[] texts = new string?[rows.RowCount];
                await rows.ReadAsync(field, texts.AsMemory()!).ConfigureAwait(false);
                Add(records, texts, Encoding.UTF8.GetBytes);
            }
            else
            {
                byte[]?[] texts = new byte[]?[rows.RowCount];
                await rows.ReadAsync(field, texts.AsMemory()!).ConfigureAwait(false);
                Add(records, texts, text => text);
            }
        }
    }

    private static void Add<T>(RecordWriter records, T?[] texts, Func<T, byte[]> bytes)
        where T : class
    {
        foreach (T? text in texts)
        {
            if (text is null)
            {
                records.AddNone();
            }
            else
            {
                records.Add(bytes(text));
            }
        }
    }

    private static string NameOf(DataField field) => string.Join('.', field.Path.ToList());
}
