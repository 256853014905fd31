using System.Text;
using NanoFold.Engine.Corpora.Formats;
using ZstdSharp;

namespace NanoFold.Engine.Corpora;

/// <summary>What a corpus was read as.</summary>
/// <param name="Documents">The documents, none of them empty.</param>
/// <param name="Notes">What its user should know: files that were not read, and the like.</param>
/// <param name="FilesUnread">How many of the corpus' files were not read.</param>
/// <param name="Spool">Where text lies that is in no file as it is.</param>
internal sealed record CorpusText(IReadOnlyList<Document> Documents, IReadOnlyList<string> Notes, int FilesUnread = 0, TextSpool? Spool = null);

/// <summary>Makes documents of files: text as it is, compressed, UTF-16, records, and what comes through pipes.</summary>
internal sealed class CorpusReader
{
    private readonly string _name;
    private readonly FoundFiles _found;
    private readonly CorpusOptions _options;
    private readonly CancellationToken _cancel;
    private readonly byte[]? _separator;
    private readonly TextSpool _spool;
    private readonly CorpusNotes _notes;
    private readonly List<Document> _documents = [];
    private bool _hasRecords;

    private CorpusReader(string name, FoundFiles found, CorpusOptions options, CancellationToken cancel)
    {
        _cancel = cancel;
        _name = name;
        _found = found;
        _options = options;
        _separator = options.Separator is { Length: > 0 } separator ? Encoding.UTF8.GetBytes(separator) : null;
        _spool = new TextSpool(name);
        _notes = new CorpusNotes(name, options, found);
    }

    /// <summary>Reads all files.</summary>
    /// <exception cref="UserException">None can be read, or one where that is to be refused.</exception>
    public static CorpusText Read(string name, FoundFiles found, CorpusOptions options, CancellationToken cancel)
    {
        var reader = new CorpusReader(name, found, options, cancel);
        try
        {
            return reader.ReadAll();
        }
        catch
        {
            reader._spool.Dispose();
            throw;
        }
    }

    private CorpusText ReadAll()
    {
        UserException? first = null;
        int filesUnread = 0;
        foreach (SourceFile file in _found.Files.Where(file => file.Bytes > 0 || file.IsStream))
        {
            long length = _spool.Length;
            try
            {
                Read(file);
            }
            catch (Exception e) when (e is UnreadTextException or ZstdException or InvalidDataException or DecoderFallbackException || FileFault.Is(e))
            {
                (string reason, string advice) = e is UnreadTextException unread ? (e.Message, unread.Advice) : ($"cannot be read: {e.Message.TrimEnd('.')}", "");
                first ??= new UserException($"{file.Path}: {reason}{(advice.Length > 0 ? ": " : "")}{advice}", e);
                _notes.Unread(file.Name, reason);
                filesUnread++;
                _spool.CutBackTo(length);
            }
        }

        if (_found.IsOne && first is not null)
        {
            throw first;
        }

        IReadOnlyList<string> notes = _notes.Finish();
        if (_documents.Count == 0)
        {
            throw first ?? new UserException($"{_name}: is empty: name a file with text");
        }

        if (_options is { Field: not null, RequiresField: true } && !_hasRecords)
        {
            throw new UserException($"{_name}: is neither JSON lines nor Parquet, so it has no field '{_options.Field}': leave --field (data.field) out");
        }

        return new CorpusText(_documents, notes, filesUnread, _spool);
    }

    private void Read(SourceFile file)
    {
        // A named pipe opens when somebody writes into it.
        using Stream raw = file.IsStream ? Task.Run(file.Open, CancellationToken.None).WaitAsync(_cancel).GetAwaiter().GetResult() : file.Open();
        string name = file.Path;
        var head = new HeadStream(new InterruptibleStream(raw, file.IsStream, _cancel));
        bool isPlain = !file.IsStream;
        if (Decompressed(head) is { } text)
        {
            head = new HeadStream(text);
            name = WithoutEnding(name);
            isPlain = false;
        }

        if (Signature.IsParquet(head.Head))
        {
            ReadParquet(file, isPlain ? raw : head);
            return;
        }

        if (Signature.Foreign(head.Head) is { } kind)
        {
            throw new UnreadTextException($"is {kind}", "unpack it, or name a text file");
        }

        int mark = head.Head.StartsWith(Signature.Utf8Mark) ? Signature.Utf8Mark.Length : 0;
        if (Signature.Wide(head.Head) is { } encoding)
        {
            head.Skip(encoding.Preamble.Length);
            head = new HeadStream(Encoding.CreateTranscodingStream(head, encoding, Encoding.UTF8));
            isPlain = false;
        }
        else if (Signature.WideByZeros(head.Head) is { } wide)
        {
            throw new UnreadTextException($"is not UTF-8 text, but by its bytes {wide} without a byte order mark", $"convert it to UTF-8 (iconv -f {wide} -t UTF-8)");
        }
        else
        {
            head.Skip(mark);
        }

        if (JsonLines.IsName(name) || (_options.Field is not null && head.Head.TrimStart(" \t\r\n"u8) is [(byte)'{', ..]))
        {
            ReadRecords(file, records => JsonLines.Read(head, _options.Field ?? CorpusOptions.DefaultField, records));
        }
        else if (isPlain)
        {
            ReadText(file, new FileText(file), mark, file.Bytes);
        }
        else
        {
            long from = _spool.Length;
            Copy(head);
            ReadText(file, _spool, from, _spool.Length);
        }
    }

    private static Stream? Decompressed(HeadStream stream)
        => Signature.IsGzip(stream.Head) ? new GzipText(stream)
        : Signature.IsZstd(stream.Head) ? new DecompressionStream(stream)
        : null;

    private static string WithoutEnding(string name)
        => Path.GetExtension(name).ToLowerInvariant() is ".gz" or ".gzip" or ".zst" or ".zstd" ? Path.ChangeExtension(name, null) : name;

    // Parquet is read from its end.
    private void ReadParquet(SourceFile file, Stream stream)
    {
        using FileStream? copy = stream.CanSeek ? null : TextSpool.CreateUnnamed();
        if (copy is not null)
        {
            stream.CopyTo(copy);
        }

        Stream whole = copy ?? stream;
        whole.Position = 0;
        ReadRecords(file, records => ParquetText.Read(whole, _options.Field ?? CorpusOptions.DefaultField, records, _cancel));
    }

    private void ReadRecords(SourceFile file, Action<RecordWriter> read)
    {
        var records = new RecordWriter(_spool);
        long from = _spool.Length;
        read(records);
        _hasRecords = true;
        _notes.Without(records.Without, records.Count);
        var scan = new TextScan(_separator, isText: false, _cancel);
        if (_separator is null)
        {
            scan.Read(_spool, from, _spool.Length);
            AddDocuments(file, _spool, records.Documents);
        }
        else
        {
            foreach ((long begin, long end) in records.Documents)
            {
                scan.Read(_spool, begin, end);
            }

            AddDocuments(file, _spool, scan.Documents);
        }

        _notes.Scanned(file.Name, scan, from);
    }

    // What is no text is not copied to its end, which it may not have.
    private void Copy(Stream stream)
    {
        byte[] buffer = new byte[1 << 16];
        long from = _spool.Length;
        for (int read; (read = stream.Read(buffer)) > 0;)
        {
            int nul = buffer.AsSpan(0, read).IndexOf((byte)0);
            if (nul >= 0)
            {
                throw NoText(_spool.Length - from + nul);
            }

            _spool.Write(buffer.AsSpan(0, read));
        }
    }

    private void ReadText(SourceFile file, StoredText text, long from, long to)
    {
        var scan = new TextScan(_separator, isText: true, _cancel);
        scan.Read(text, from, to);
        long begin = text == _spool ? from : 0;
        if (scan.NulAt >= 0)
        {
            throw NoText(scan.NulAt - begin);
        }

        if (scan.IsNoUtf8(to - from))
        {
            throw new UnreadTextException("is not UTF-8 text", "convert it to UTF-8 (iconv -f LATIN1 -t UTF-8, if it is Latin-1) or name another file");
        }

        AddDocuments(file, text, scan.Documents);
        _notes.Scanned(file.Name, scan, begin);
    }

    private void AddDocuments(SourceFile file, StoredText text, IReadOnlyList<(long From, long To)> pieces)
    {
        int number = 0;
        _documents.AddRange(pieces.Select(piece => new Document(file.Path, text, piece.From, piece.To, pieces.Count == 1 ? 0 : ++number)));
    }

    private static UnreadTextException NoText(long nul) => new(FormattableString.Invariant($"is not text (a NUL byte at {nul})"), "name a text file");
}
