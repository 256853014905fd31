using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Text;
using NanoFold.Kernels.Memory;

namespace NanoFold.Engine.Data;

/// <summary>
/// A folder of tokenized corpora, so that a text is read and tokenized once. An entry is known by the hash of the text,
/// the tokenizer and the split; sizes and times of the files and a sample of their bytes stand in for the text where they have been seen before.
/// </summary>
/// <remarks>
/// <c>NAME/</c> holds a complete entry (<c>tokenizer.json</c>, <c>train.tokens</c>, <c>validation.tokens</c>, what was held back, and their hashes), written
/// beside and renamed; <c>NAME.lock</c> is held meanwhile, so a second process waits and then finds the entry; an entry that is not what it was
/// is made again;
/// <c>seen/</c> remembers the content hash of files. All of it can be deleted while no process uses it.
/// </remarks>
public sealed class TokenCache
{
    // Part of every key: entries of another layout are not looked at.
    private const string Version = "nanofold tokens 1";
    private const int LockPollMs = 50;

    // A file written twice within the granularity of the clock looks unchanged, so files as new as that are not remembered.
    private static readonly TimeSpan s_settled = TimeSpan.FromSeconds(2);

    /// <summary>Uses <paramref name="folder"/>, or else <see cref="DefaultFolder"/>.</summary>
    public TokenCache(string? folder = null)
    {
        Folder = Path.GetFullPath(folder ?? DefaultFolder);
    }

    /// <summary>See <see cref="CacheFolder.Default"/>.</summary>
    public static string DefaultFolder => CacheFolder.Default;

    /// <summary>Where it is.</summary>
    public string Folder { get; }

    /// <summary>The data set of a corpus: found, or made and kept.</summary>
    /// <param name="corpus">The text.</param>
    /// <param name="spec">Its tokenizer.</param>
    /// <param name="config">How it is split and put together; its path is not read.</param>
    /// <param name="validation">Text to validate with, in place of <see cref="DataConfig.Validation"/>; then all of the corpus is trained on.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends waiting and tokenizing.</param>
    /// <exception cref="UserException">The corpus cannot be used, or the cache not be written.</exception>
    public TokenDataset Open(
        Corpus corpus, TokenizerSpec spec, DataConfig? config = null, Corpus? validation = null, Action<string>? note = null, CancellationToken cancel = default)
    {
        config ??= new DataConfig();
        validation ??= config.Validation is { } path ? Corpus.Open(path, config.Reading with { RequiresField = false }) : null;
        try
        {
            Directory.CreateDirectory(Path.Combine(Folder, "seen"));
            corpus.Cancel = cancel;
            validation?.Cancel = cancel;
            string hash = HashOf(corpus, validation, note);
            string key = string.Create(
                CultureInfo.InvariantCulture,
                $"{Version}\n{hash}\n{validation is not null}\n{spec.Key}\n{config.ValidationFraction:R}\n{config.Documents}{SplitKey(config, validation)}");
            string entry = Path.Combine(Folder, Hash(key)[..32]);
            if (TryOpen(entry, corpus.Name, hash) is { } found)
            {
                return found;
            }

            using FileStream held = Lock(entry + CacheLock.Suffix, note, cancel);
            return TryOpen(entry, corpus.Name, hash) ?? Make(entry, corpus, validation, hash, note, folder => new DatasetBuilder(corpus, spec, config, validation, cancel).Build(folder));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unusable(e);
        }
    }

    /// <summary>The content hash of the data set that <see cref="Open"/> would give.</summary>
    public string ContentHash(Corpus corpus, Corpus? validation = null)
    {
        try
        {
            Directory.CreateDirectory(Path.Combine(Folder, "seen"));
            return HashOf(corpus, validation, null);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw Unusable(e);
        }
    }

    // Without a choice between documents an entry is known as before there was one.
    private static string SplitKey(DataConfig config, Corpus? validation) =>
        config.Split == SplitKind.Shuffled && validation is null && config.ValidationFraction is > 0 and < 1
            ? string.Create(CultureInfo.InvariantCulture, $"\nshuffled {config.SplitSeed}")
            : "";

    private static TokenDataset? TryOpen(string entry, string name, string hash)
    {
        try
        {
            return Directory.Exists(entry) && EntryHashes.Match(entry, Tokenizer.FileName, TokenDataset.TrainFile, TokenDataset.ValidationFile, HeldBack.FileName)
                ? TokenDataset.Open(entry, name, hash, fromCache: true)
                : null;
        }
        catch (Exception e) when (e is UserException || FileFault.Is(e))
        {
            // A damaged entry is made again by the process that holds its lock.
            return null;
        }
    }

    private static TokenDataset Make(
        string entry, Corpus corpus, Corpus? validation, string hash, Action<string>? note, Action<string> build)
    {
        note?.Invoke(FormattableString.Invariant(
            $"{corpus.Name}: {(corpus.Tokens is null ? "tokenizing" : "reading tokens of")} {corpus.Bytes / 1e6:0.0} MB in {corpus.Contents.Count:N0} {(corpus.Tokens is null ? "document" : "file")}{(corpus.Contents.Count == 1 ? "" : "s")}"));
        CacheSweep.Run(Path.GetDirectoryName(entry)!, entry);
        string beside = CacheSweep.Beside(entry);
        Directory.CreateDirectory(beside);
        try
        {
            build(beside);
            EntryHashes.Write(beside);
            corpus.CheckUnchanged();
            validation?.CheckUnchanged();
            if (Directory.Exists(entry))
            {
                Directory.Delete(entry, recursive: true);
            }

            FileSystemSync.FlushFolder(beside);
            Directory.Move(beside, entry);
            FileSystemSync.FlushFolder(Path.GetDirectoryName(entry)!);
        }
        catch
        {
            Directory.Delete(beside, recursive: true);
            throw;
        }

        return TokenDataset.Open(entry, corpus.Name, hash, fromCache: false);
    }

    private UserException Unusable(Exception e) => new($"{Folder}: the token cache cannot be used: {e.Message} Set NANOFOLD_CACHE to a folder that can be written.", e);

    private string HashOf(Corpus corpus, Corpus? validation, Action<string>? note)
    {
        string content = ContentOf(corpus, note);
        return validation is not null ? Hash($"{content} {ContentOf(validation, note)}") : content;
    }

    private string ContentOf(Corpus corpus, Action<string>? note)
    {
        string hash = ContentOf(corpus);
        foreach (string line in corpus.Notes)
        {
            note?.Invoke(line);
        }

        return hash;
    }

    // The content hash, from memory where the files look as they did: a line with their sample, then what the corpus was seen to be.
    private string ContentOf(Corpus corpus)
    {
        if (corpus.StatKey is not { } stat)
        {
            return corpus.Hash;
        }

        string seen = Path.Combine(Folder, "seen", stat), sample = FileSample.Hash(corpus.Files);
        if (File.Exists(seen) && File.ReadAllText(seen).Split('\n', 2) is [var sampled, var known] && sampled == sample && corpus.Recall(known) is { } remembered)
        {
            return remembered;
        }

        DateTime before = DateTime.UtcNow;
        string hash = corpus.Hash;
        corpus.CheckUnchanged();
        if (corpus.Files.All(file => file.ModifiedUtc < before - s_settled))
        {
            string beside = CacheSweep.Beside(seen);
            File.WriteAllText(beside, $"{sample}\n{corpus.Remembered}");
            File.Move(beside, seen, overwrite: true);
        }

        return hash;
    }

    // The file stays when it is let go: deleting it would let a waiting process lock a file that is no longer there.
    private static FileStream Lock(string path, Action<string>? note, CancellationToken cancel)
    {
        for (bool told = false; ; told = true)
        {
            try
            {
                return CacheLock.Take(path);
            }
            catch (IOException e) when (CacheLock.IsHeld(e))
            {
                if (!told)
                {
                    note?.Invoke($"waiting for another process that tokenizes the same text ({path})");
                }
            }

            cancel.WaitHandle.WaitOne(LockPollMs);
            cancel.ThrowIfCancellationRequested();
        }
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
