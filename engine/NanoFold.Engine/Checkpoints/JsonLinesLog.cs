using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace NanoFold.Engine.Checkpoints;

/// <summary>
/// A log of one JSON object a line (metrics.jsonl, geometry.jsonl). Each line reaches the system in one write, so that a reader
/// never waits for the rest of it and a crash tears the last line at most; opening the log mends that.
/// </summary>
public sealed class JsonLinesLog : IDisposable
{
    private const byte NewLine = (byte)'\n';

    private readonly ArrayBufferWriter<byte> _line = new(1024);
    private readonly Utf8JsonWriter _json;
    private FileStream _file;

    private JsonLinesLog(string path, FileStream file)
    {
        Path = path;
        _file = file;
        // Text is written as it is, for people to read.
        _json = new Utf8JsonWriter(_line, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    }

    public string Path { get; }

    /// <summary>Gets each line after it was written; null where nobody wants them.</summary>
    internal LogMirror? Mirror { get; set; }

    /// <summary>Opens a log for appending, or creates it. A last line without an end is completed, or cut off where it is torn.</summary>
    /// <exception cref="UserException">It cannot be written.</exception>
    public static JsonLinesLog Open(string path)
    {
        try
        {
            FileStream file = OpenFile(path);
            try
            {
                if (!file.CanSeek)
                {
                    throw new IOException("It is not a plain file.");
                }

                MendLastLine(file);
            }
            catch
            {
                file.Dispose();
                throw;
            }

            return new JsonLinesLog(path, file);
        }
        catch (Exception exception) when (FileFault.Is(exception))
        {
            throw FileFault.Describe("cannot write", path, exception);
        }
    }

    /// <summary>The objects of a log, which may be being written; lines that are no JSON object are passed over.</summary>
    /// <exception cref="UserException">It cannot be read.</exception>
    public static IReadOnlyList<JsonElement> Read(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(file);
            var objects = new List<JsonElement>();
            while (reader.ReadLine() is { } line)
            {
                if (ParseObject(line) is { } parsed)
                {
                    objects.Add(parsed);
                }
            }

            return objects;
        }
        catch (Exception exception) when (FileFault.Is(exception))
        {
            throw FileFault.Describe("cannot read", path, exception);
        }
    }

    /// <summary>
    /// Appends one object. <paramref name="writeProperties"/> writes its properties; given as a static lambda with its
    /// state, appending allocates nothing.
    /// </summary>
    /// <exception cref="UserException">It cannot be written, or the disk is full.</exception>
    public void Append<TState>(TState state, Action<Utf8JsonWriter, TState> writeProperties)
    {
        _line.ResetWrittenCount();
        _json.Reset(_line);
        _json.WriteStartObject();
        writeProperties(_json, state);
        _json.WriteEndObject();
        _json.Flush();
        _line.GetSpan(1)[0] = NewLine;
        _line.Advance(1);
        long lineStart = _file.Position;
        try
        {
            _file.Write(_line.WrittenSpan);
        }
        catch (Exception exception) when (FileFault.Is(exception))
        {
            CutTornLine(lineStart);
            throw FileFault.Describe("cannot write", Path, exception);
        }

        Mirror?.Invoke(_line.WrittenSpan);
    }

    /// <summary>
    /// For resuming: drops the lines whose <c>step</c> is greater, and those that are no JSON object; lines without a step
    /// stay. The file is replaced as a whole or not at all.
    /// </summary>
    /// <exception cref="UserException">It cannot be written, or the disk is full.</exception>
    public void CutBackTo(long step)
    {
        try
        {
            string cut = Path + PlainFile.New;
            _file.Position = 0;
            using (var target = new StreamWriter(PlainFile.CreateNew(cut)) { NewLine = "\n" })
            {
                var source = new StreamReader(_file, leaveOpen: true);
                while (source.ReadLine() is { } line)
                {
                    if (ParseObject(line) is { } parsed && (StepOf(parsed) ?? long.MinValue) <= step)
                    {
                        target.WriteLine(line);
                    }
                }

                target.Flush();
                ((FileStream)target.BaseStream).Flush(flushToDisk: true);
            }

            _file.Dispose();
            File.Move(cut, Path, overwrite: true);
            _file = OpenFile(Path);
            _file.Seek(0, SeekOrigin.End);
        }
        catch (Exception exception) when (FileFault.Is(exception))
        {
            throw FileFault.Describe("cannot write", Path, exception);
        }
    }

    /// <summary>Puts the log back where its file was deleted or moved away while it was open.</summary>
    /// <exception cref="UserException">It cannot be written, or the disk is full.</exception>
    public void PutBack()
    {
        if (File.Exists(Path))
        {
            return;
        }

        try
        {
            FileStream again = OpenFile(Path);
            CopyTo(again);
            _file.Dispose();
            _file = again;
        }
        catch (Exception exception) when (FileFault.Is(exception))
        {
            throw FileFault.Describe("cannot write", Path, exception);
        }
    }

    /// <summary>Appends all lines to another log, from this one's file even where it was deleted.</summary>
    /// <exception cref="UserException">The other one cannot be written, or the disk is full.</exception>
    public void CopyTo(JsonLinesLog other)
    {
        try
        {
            CopyTo(other._file);
        }
        catch (Exception exception) when (FileFault.Is(exception))
        {
            throw FileFault.Describe("cannot write", other.Path, exception);
        }
    }

    public void Dispose()
    {
        _json.Dispose();
        _file.Dispose();
    }

    private void CopyTo(FileStream target)
    {
        _file.Position = 0;
        _file.CopyTo(target);
        _file.Seek(0, SeekOrigin.End);
    }

    // After a failed write, so that a later line is not glued to half of one; opening the log would mend it too.
    private void CutTornLine(long lineStart)
    {
        try
        {
            _file.SetLength(lineStart);
            _file.Position = lineStart;
        }
        catch (Exception exception) when (FileFault.Is(exception))
        {
        }
    }

    private static FileStream OpenFile(string path)
    {
        PlainFile.RequireNoLink(path);
        return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete, bufferSize: 0);
    }

    // Leaves the position at the end.
    private static void MendLastLine(FileStream file)
    {
        long lineStart = FindLastLine(file);
        long length = file.Length;
        file.Position = lineStart;
        if (lineStart < length)
        {
            using var reader = new StreamReader(file, leaveOpen: true);
            if (ParseObject(reader.ReadToEnd()) is null)
            {
                file.SetLength(lineStart);
                file.Position = lineStart;
            }
            else
            {
                file.Position = length;
                file.WriteByte(NewLine);
            }
        }
    }

    // Where what follows the last end of line begins.
    private static long FindLastLine(FileStream file)
    {
        var chunk = new byte[4096];
        for (long end = file.Length; end > 0;)
        {
            long start = Math.Max(0, end - chunk.Length);
            Span<byte> bytes = chunk.AsSpan(0, (int)(end - start));
            file.Position = start;
            file.ReadExactly(bytes);
            int at = bytes.LastIndexOf(NewLine);
            if (at >= 0)
            {
                return start + at + 1;
            }

            end = start;
        }

        return 0;
    }

    /// <summary>The object that a line holds; null where it holds none.</summary>
    internal static JsonElement? ParseObject(string line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return json.RootElement.ValueKind == JsonValueKind.Object ? json.RootElement.Clone() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static long? StepOf(JsonElement line)
        => line.TryGetProperty("step", out JsonElement step) && step.ValueKind == JsonValueKind.Number && step.TryGetInt64(out long value) ? value : null;
}

/// <summary>Gets a line of a log, its end included.</summary>
internal delegate void LogMirror(ReadOnlySpan<byte> line);
