using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using NanoFold.Engine.Corpora.Formats;

namespace NanoFold.Engine.Corpora;

/// <summary>
/// Text to learn from, as a list of documents: a file, a folder, a pattern, or what a program holds in memory. Opening
/// one only asks the file system; nothing is read until <see cref="Documents"/> or <see cref="Hash"/> is asked for.
/// </summary>
/// <remarks>
/// What is wrong with a corpus (missing, empty, not text) is an <see cref="UserException"/> with one line that
/// names the file and what to do. In folders and patterns, files that can be read are used, and a note names each that cannot; empty files are passed over.
/// </remarks>
public sealed class Corpus : IDisposable
{
    /// <summary>What runs remember of a text that could be read only once.</summary>
    public const string Pipe = "(a pipe)";

    private readonly string _reader;
    private readonly IReadOnlyList<Unread> _unread;
    private readonly Lazy<CorpusText> _text;
    private readonly Lazy<string> _hash;
    private IReadOnlyList<string>? _recalled;

    /// <param name="name">What messages call it.</param>
    /// <param name="reader">How files become documents, with a version: part of <see cref="StatKey"/>.</param>
    /// <param name="found">What it is read from; no files for text in memory.</param>
    /// <param name="read">Gives the documents.</param>
    /// <param name="tokens">Where its files hold tokens in place of text: what they are.</param>
    internal Corpus(string name, string reader, FoundFiles found, Func<CancellationToken, CorpusText> read, IReadOnlyList<TokenFile>? tokens = null)
    {
        Name = name;
        Tokens = tokens;
        Files = found.Files;
        _unread = found.Unread;
        _reader = reader;
        _text = new Lazy<CorpusText>(() => read(Cancel));
        _hash = new Lazy<string>(HashContent);
    }

    /// <summary>What messages call it: the path as it was given.</summary>
    public string Name { get; }

    /// <summary>The files it is read from; empty for text in memory.</summary>
    public IReadOnlyList<SourceFile> Files { get; }

    /// <summary>How many of them could be read; 0 for text in memory.</summary>
    public int FilesRead => Files.Count - _text.Value.FilesUnread;

    /// <summary>The documents, in order; never none, and none of them empty.</summary>
    /// <exception cref="UserException">It holds tokens of another program in place of text.</exception>
    public IReadOnlyList<Document> Documents => Tokens is [{ } first, ..]
        ? throw new UserException($"{Name}: holds tokens of {first.Program}, not text")
        : Contents;

    /// <summary>What its files hold, text or not.</summary>
    internal IReadOnlyList<Document> Contents => _text.Value.Documents;

    /// <summary>The files of tokens that it is; null where it is text.</summary>
    internal IReadOnlyList<TokenFile>? Tokens { get; }

    /// <summary>True once the documents have been asked for.</summary>
    public bool IsRead => _text.IsValueCreated;

    /// <summary>
    /// What its user should know, a line each: files that were not read, bytes that are not UTF-8, a special token's name that is read as text. The text is
    /// read for it, unless it was known before (<see cref="Recall"/>).
    /// </summary>
    public IReadOnlyList<string> Notes => _recalled ?? _text.Value.Notes;

    /// <summary>Whether it can be read only once: a pipe, a device, standard input.</summary>
    public bool IsStream => Files is [{ IsStream: true }];

    /// <summary>The length of all documents together.</summary>
    public long Bytes => Contents.Sum(document => document.Bytes);

    /// <summary>The hash of the documents' content and where each ends (SHA-256, hexadecimal); names do not count.</summary>
    public string Hash => _hash.Value;

    /// <summary>Ends reading it.</summary>
    internal CancellationToken Cancel { get; set; }

    /// <summary>What <see cref="Recall"/> takes: the hash, then the notes, a line each.</summary>
    internal string Remembered => string.Join('\n', [Hash, .. Notes]);

    /// <summary>
    /// A hash of what the file system says of the files (paths, sizes, times, what cannot be read) and of how they are read; null for what can be read only
    /// once and for text in memory.
    /// </summary>
    internal string? StatKey
    {
        get
        {
            if (Files.Count == 0 || IsStream)
            {
                return null;
            }

            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            hash.AppendData(Encoding.UTF8.GetBytes(_reader));
            foreach (SourceFile file in Files)
            {
                string line = string.Create(CultureInfo.InvariantCulture, $"\0{file.Path}\0{file.Name}\0{file.Bytes}\0{file.ModifiedUtc.Ticks}");
                hash.AppendData(Encoding.UTF8.GetBytes(line));
            }

            foreach (Unread file in _unread)
            {
                hash.AppendData(Encoding.UTF8.GetBytes($"\0{file.Name}\0{file.Reason}"));
            }

            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
    }

    /// <summary>The corpus at <paramref name="path"/>: a file, a pipe, a folder with all below it, or a pattern (<c>*</c>, <c>?</c>, <c>**</c>).</summary>
    /// <exception cref="UserException">There is no file, or only empty ones.</exception>
    public static Corpus Open(string path, CorpusOptions? options = null)
    {
        if (path == Pipe)
        {
            throw new UserException("the text came through a pipe, which could be read only once: give it again with --data");
        }

        options ??= new CorpusOptions();
        FoundFiles found;
        try
        {
            found = FileFinder.Find(path);
        }
        catch (Exception e) when (FileFault.Is(e) || e is ArgumentException)
        {
            throw new UserException($"{path}: cannot be read: {e.Message}", e);
        }

        if (found.Files.Count == 0)
        {
            throw new UserException(
                found.Unread is [var first, ..] ? $"{path}: there is no file that can be read: {first.Name} {first.Reason}"
                : SourceFile.IsDescriptor(path) ? $"{path}: is a pipe that is gone: give the text again with --data"
                : $"{path}: there is no such file, and no folder or pattern with files: name one that exists");
        }

        if (found.Files.All(file => file.Bytes == 0 && !file.IsStream))
        {
            throw new UserException($"{path}: is empty: name a file with text");
        }

        if (TokenFile.Of(found) is { } tokens)
        {
            return new Corpus(path, "tokens 1", found, _ => new CorpusText([.. tokens.Select(file => new Document(file.File.Path, new FileText(file.File), 0, file.File.Bytes))], []), tokens);
        }

        return new Corpus(path, string.Join('\0', "text 2", options.Separator, options.Field, options.Strict), found, cancel => CorpusReader.Read(path, found, options, cancel));
    }

    /// <summary>Whether what a path names can be read only once, so that whoever needs the text again must be given it again.</summary>
    public static bool CanBeReadOnce(string path) => FileFinder.IsStream(path);

    /// <summary>The corpus at <paramref name="path"/>, or where that is null the <see cref="DefaultCorpus"/>.</summary>
    /// <exception cref="UserException">It cannot be used, or there is no default on this machine.</exception>
    public static Corpus OpenOrDefault(string? path, CorpusOptions? options = null) =>
        path is not null ? Open(path, options)
        : DefaultCorpus.Open() ?? throw new UserException("no .NET SDK with reference documentation is installed to train on: name a text with --data");

    /// <summary>A corpus in memory, a document per string.</summary>
    public static Corpus FromText(string name, params string[] documents) =>
        FromDocuments(name, [.. documents.Select((text, index) => new Document($"{name}[{index}]", text))]);

    /// <summary>A corpus of the given documents; empty ones are left out.</summary>
    /// <exception cref="UserException">There is no text in them.</exception>
    public static Corpus FromDocuments(string name, IReadOnlyList<Document> documents)
    {
        Document[] kept = [.. documents.Where(document => document.Bytes > 0)];
        return kept.Length > 0
            ? new Corpus(name, "memory", new FoundFiles([], []), _ => new CorpusText(kept, []))
            : throw new UserException($"{name}: is empty: give it text");
    }

    /// <summary>Lets go of text that is in no file as it is; its documents cannot be read any more.</summary>
    public void Dispose()
    {
        if (IsRead)
        {
            _text.Value.Spool?.Dispose();
        }
    }

    /// <summary>Takes the notes of an earlier reading of the same files and gives its hash; null where <paramref name="remembered"/> is none.</summary>
    internal string? Recall(string remembered)
    {
        string[] lines = remembered.Split('\n');
        if (lines[0].Length != 64 || !lines[0].All(char.IsAsciiHexDigitLower))
        {
            return null;
        }

        _recalled = lines[1..];
        return lines[0];
    }

    /// <summary>Throws where a file is not as it was when the corpus was opened.</summary>
    internal void CheckUnchanged()
    {
        foreach (SourceFile file in Files.Where(file => !file.IsStream))
        {
            if (!File.Exists(file.Path) || SourceFile.Of(file.Path, file.Name) != file)
            {
                throw new UserException($"{file.Path}: changed while it was read: run again");
            }
        }
    }

    private string HashContent()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 18];
        StoredText? text = null;
        Stream? stream = null;
        try
        {
            foreach (Document document in Contents)
            {
                hash.AppendData(BitConverter.GetBytes(document.Bytes));
                if (document.Text != text)
                {
                    stream?.Dispose();
                    text = document.Text;
                    stream = text.Open(document.From);
                }

                stream!.Position = document.From;
                for (long done = 0; done < document.Bytes;)
                {
                    Cancel.ThrowIfCancellationRequested();
                    Span<byte> part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, document.Bytes - done));
                    text.Fill(stream, part);
                    hash.AppendData(part);
                    done += part.Length;
                }
            }
        }
        finally
        {
            stream?.Dispose();
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
