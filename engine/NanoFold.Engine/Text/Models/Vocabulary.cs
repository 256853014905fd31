using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>The texts of a model's tokens and their ids.</summary>
internal sealed class Vocabulary
{
    private readonly Dictionary<byte[], int> _ids = new(WordComparer.Instance);
    private readonly Dictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>> _lookup;

    public Vocabulary(IEnumerable<KeyValuePair<string, int>> tokens)
    {
        _lookup = _ids.GetAlternateLookup<ReadOnlySpan<byte>>();
        foreach ((string token, int id) in tokens)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(token);
            _ids[bytes] = id;
            LongestToken = Math.Max(LongestToken, bytes.Length);
        }
    }

    /// <summary>Bytes of the longest token.</summary>
    public int LongestToken { get; }

    /// <summary>The id of a token, or −1.</summary>
    public int IdOf(ReadOnlySpan<byte> token) => _lookup.TryGetValue(token, out int id) ? id : -1;

    /// <summary>The id of a token, or −1.</summary>
    public int IdOf(string token) => IdOf(Encoding.UTF8.GetBytes(token));

    /// <summary>The ids of the tokens <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>, −1 for those that are missing.</summary>
    public int[] ByteTokens() => [.. Enumerable.Range(0, 256).Select(value => IdOf($"<0x{value:X2}>"))];
}
