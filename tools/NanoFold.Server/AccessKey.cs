using System.Security.Cryptography;
using System.Text;

namespace NanoFold.Server;

/// <summary>Whether a client has the key.</summary>
internal static class AccessKey
{
    private const string Scheme = "Bearer ";

    /// <summary>Compares in a time that says nothing about where the two differ.</summary>
    public static bool Fits(string? header, string key) =>
        header is not null && header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
        && CryptographicOperations.FixedTimeEquals(Hash(header[Scheme.Length..].Trim()), Hash(key));

    /// <summary>Whether a client can send a key: what stands around a header's value is taken from it, and not every character may stand in one.</summary>
    public static bool CanBeSent(string key) => key.Length > 0 && key.Trim() == key && key.All(c => c is >= ' ' and <= '~');

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
