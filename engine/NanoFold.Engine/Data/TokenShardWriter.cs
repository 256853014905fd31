using System.Buffers.Binary;

namespace NanoFold.Engine.Data;

/// <summary>
/// Writes a <see cref="TokenShard"/>: tokens go to a file beside the final one, which appears, flushed and complete, at
/// <see cref="Commit"/>. Without a commit, <see cref="Dispose"/> leaves nothing behind.
/// </summary>
public sealed class TokenShardWriter : IDisposable
{
    private const int BufferedTokens = 1 << 15;
    private readonly string _path;
    private readonly string _beside;
    private readonly FileStream _file;
    private readonly int _vocab;
    private readonly bool _marked;
    private readonly int _width;
    private readonly byte[] _buffer;
    private readonly List<long> _documents = [];
    private long _tokens;
    private bool _done;

    /// <summary>Begins the shard at <paramref name="path"/>.</summary>
    /// <param name="path">Where the finished file will be; an existing one is replaced.</param>
    /// <param name="vocab">Tokens are in [0, vocab); up to 65,536 they take two bytes, otherwise four.</param>
    /// <param name="marked">The documents begin with a BOS token.</param>
    public TokenShardWriter(string path, int vocab, bool marked = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(vocab, 1);
        _path = path;
        _beside = path + ".tmp-" + Guid.NewGuid().ToString("N");
        _vocab = vocab;
        _marked = marked;
        _width = TokenShardHeader.WidthFor(vocab);
        _buffer = new byte[BufferedTokens * _width];
        _file = new FileStream(_beside, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1);
        _file.Write(new byte[TokenShardHeader.Size]);
    }

    /// <summary>The next token begins a document. A document without tokens leaves no trace.</summary>
    public void StartDocument()
    {
        if (_documents.Count == 0 || _documents[^1] != _tokens)
        {
            _documents.Add(_tokens);
        }
    }

    /// <summary>Appends tokens; the first ones begin a document.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A token is not in [0, vocab).</exception>
    public void Write(ReadOnlySpan<int> tokens)
    {
        if (_tokens == 0)
        {
            StartDocument();
        }

        _tokens += tokens.Length;
        while (!tokens.IsEmpty)
        {
            ReadOnlySpan<int> part = tokens[..Math.Min(BufferedTokens, tokens.Length)];
            for (int i = 0; i < part.Length; i++)
            {
                if ((uint)part[i] >= (uint)_vocab)
                {
                    throw new ArgumentOutOfRangeException(nameof(tokens), $"{_path}: token {part[i]} is not in [0, {_vocab})");
                }

                Span<byte> place = _buffer.AsSpan(i * _width);
                if (_width == sizeof(ushort))
                {
                    BinaryPrimitives.WriteUInt16LittleEndian(place, (ushort)part[i]);
                }
                else
                {
                    BinaryPrimitives.WriteInt32LittleEndian(place, part[i]);
                }
            }

            _file.Write(_buffer, 0, part.Length * _width);
            tokens = tokens[part.Length..];
        }
    }

    /// <summary>Finishes the file and puts it in its place.</summary>
    /// <param name="textBytes">The length of the text that the tokens stand for.</param>
    public void Commit(long textBytes)
    {
        if (_documents.Count > 0 && _documents[^1] == _tokens)
        {
            _documents.RemoveAt(_documents.Count - 1);
        }

        var header = new TokenShardHeader(_width, _vocab, _marked, _tokens, _documents.Count, textBytes);
        byte[] table = new byte[(header.DocumentsAt - _file.Position) + ((long)_documents.Count * sizeof(long))];
        Span<byte> starts = table.AsSpan((int)(header.DocumentsAt - _file.Position));
        for (int i = 0; i < _documents.Count; i++)
        {
            BinaryPrimitives.WriteInt64LittleEndian(starts[(i * sizeof(long))..], _documents[i]);
        }

        _file.Write(table);
        _file.Position = 0;
        _file.Write(header.ToBytes());
        _file.Flush(flushToDisk: true);
        _file.Dispose();
        File.Move(_beside, _path, overwrite: true);
        _done = true;
    }

    /// <summary>Gives up what was not committed.</summary>
    public void Dispose()
    {
        _file.Dispose();
        if (!_done)
        {
            File.Delete(_beside);
        }
    }
}
