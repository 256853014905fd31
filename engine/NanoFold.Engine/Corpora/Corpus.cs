using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace NanoFold.Engine.Corpora;

/// <summary>
/// Text to learn from, as a list of documents: a file, a folder, a pattern, or what a program holds in memory. Opening
/// one only asks the file system; nothing is read until <see cref="Documents"/> or <see cref="Hash"/> is asked for.
/// </summary>
/// <remarks>
/// What is wrong with a corpus (missing, empty, not text) is an <see cref="UserException"/> with one line that
/// names the file and what to do. In folders and patterns, empty files and files that are not text are passed over.
/// </remarks>
public sealed class Corpus
{
    private readonly string _reader;
    private readonly Lazy<IReadOnlyList<Document>> _documents;
    private readonly Lazy<string> _hash;

    /// <param name="name">What messages call it.</param>
    /// <param name="reader">How files become documents, with a version: part of <see cref="StatKey"/>.</param>
    /// <param name="files">What it is read from; empty for text in memory.</param>
    /// <param name="read">Gives the documents.</param>
    internal Corpus(string name, string reader, IReadOnlyList<SourceFile> files, Func<IReadOnlyList<Document>> read)
    {
        Name = name;
        Files = files;
        _reader = reader;
        _documents = new Lazy<IReadOnlyList<Document>>(read);
        _hash = new Lazy<string>(HashContent);
    }

    /// <summary>What messages call it: the path as it was given.</summary>
    public string Name { get; }

    /// <summary>The files it is read from; empty for text in memory.</summary>
    public IReadOnlyList<SourceFile> Files { get; }

    /// <summary>The documents, in order; never none, and none of them empty.</summary>
    public IReadOnlyList<Document> Documents => _documents.Value;

    /// <summary>True once the documents have been asked for.</summary>
    public bool IsRead => _documents.IsValueCreated;

    /// <summary>The length of all documents together.</summary>
    public long Bytes => Documents.Sum(document => document.Bytes);

    /// <summary>The hash of the documents' content and where each ends (SHA-256, hexadecimal); names do not count.</summary>
    public string Hash => _hash.Value;

    /// <summary>A hash of what the file system says of the files (paths, sizes, times), or null for text in memory.</summary>
    internal string? StatKey
    {
        get
        {
            if (Files.Count == 0)
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

            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
    }

    /// <summary>The corpus at <paramref name="path"/>: a file, a folder with all below it, or a pattern (<c>*</c>, <c>?</c>, <c>**</c>).</summary>
    /// <exception cref="UserException">There is no file, or only empty ones.</exception>
    public static Corpus Open(string path)
    {
        IReadOnlyList<SourceFile> files;
        try
        {
            files = FileFinder.Find(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UserException($"{path}: cannot be read: {e.Message}", e);
        }

        if (files.Count == 0)
        {
            throw new UserException($"{path}: there is no such file, and no folder or pattern with files: name one that exists");
        }

        if (files.All(file => file.Bytes == 0))
        {
            throw new UserException($"{path}: is empty: name a file with text");
        }

        return new Corpus(path, "text 1", files, () => FileDocuments(path, files));
    }

    /// <summary>The corpus at <paramref name="path"/>, or where that is null the <see cref="DefaultCorpus"/>.</summary>
    /// <exception cref="UserException">It cannot be used, or there is no default on this machine.</exception>
    public static Corpus OpenOrDefault(string? path) =>
        path is not null ? Open(path)
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
            ? new Corpus(name, "memory", [], () => kept)
            : throw new UserException($"{name}: is empty: give it text");
    }

    /// <summary>Throws where a file is not as it was when the corpus was opened.</summary>
    internal void CheckUnchanged()
    {
        foreach (SourceFile file in Files)
        {
            if (!File.Exists(file.Path) || SourceFile.Of(file.Path, file.Name) != file)
            {
                throw new UserException($"{file.Path}: changed while it was read: run again");
            }
        }
    }

    private static Document[] FileDocuments(string path, IReadOnlyList<SourceFile> files)
    {
        var documents = new List<Document>();
        string? firstProblem = null;
        foreach (SourceFile file in files.Where(file => file.Bytes > 0))
        {
            byte[] head = new byte[(int)Math.Min(TextCheck.HeadBytes, file.Bytes)];
            new Document(file, skipped: 0).Read(0, head);
            if (TextCheck.Problem(head) is { } problem)
            {
                firstProblem ??= $"{file.Path}: {problem}";
                continue;
            }

            int mark = head.AsSpan().StartsWith(TextCheck.Mark) ? TextCheck.Mark.Length : 0;
            if (file.Bytes > mark)
            {
                documents.Add(new Document(file, mark));
            }
        }

        return documents.Count > 0
            ? [.. documents]
            : throw new UserException(firstProblem ?? $"{path}: is empty: name a file with text");
    }

    private string HashContent()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 18];
        foreach (Document document in Documents)
        {
            hash.AppendData(BitConverter.GetBytes(document.Bytes));
            using Stream stream = document.Open(0);
            for (long done = 0; done < document.Bytes;)
            {
                Span<byte> part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, document.Bytes - done));
                document.Fill(stream, part);
                int nul = part.IndexOf((byte)0);
                if (nul >= 0)
                {
                    throw new UserException($"{document.Name}: {TextCheck.NulAt(done + nul)}");
                }

                hash.AppendData(part);
                done += part.Length;
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
