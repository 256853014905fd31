using System.Text;

namespace NanoFold.Engine.Corpora;

/// <summary>
/// Makes the identifiers of XML documentation (<c>M:System.String.Join``1(System.String,System.Int32[])</c>) readable.
/// </summary>
internal static class MemberNames
{
    /// <summary>The type that a member (not a type) belongs to, as an identifier.</summary>
    public static string TypeOf(string id)
    {
        string name = WithoutParameters(id[2..]);
        int dot = name.LastIndexOf('.');
        return dot < 0 ? name : name[..dot];
    }

    /// <summary>A type's full name: <c>System.Collections.Generic.List</c>.</summary>
    public static string Full(string type) => WithoutArity(type).ToString();

    /// <summary>What a reference is called in a sentence: a type's or member's short name, <c>List.Add</c>.</summary>
    public static string Short(string id)
    {
        if (id.Length < 3 || id[1] != ':')
        {
            return id;
        }

        string name = WithoutParameters(id[2..]);
        return id[0] switch
        {
            'T' => Last(name),
            'M' or 'P' or 'F' or 'E' => MemberOf(name, withType: true),
            _ => name,
        };
    }

    /// <summary>What a member is headed: <c>Join(String, Int32[])</c>.</summary>
    public static string Heading(string id)
    {
        string rest = id[2..];
        string name = WithoutParameters(rest);
        var heading = new StringBuilder(MemberOf(name, withType: false));
        if (rest.Length > name.Length)
        {
            int close = rest.LastIndexOf(')');
            AppendParameters(heading, rest.AsSpan(name.Length, Math.Max(0, close - name.Length)));
            heading.Append(')');
        }

        return heading.ToString();
    }

    private static string MemberOf(string name, bool withType)
    {
        int dot = name.LastIndexOf('.');
        string type = dot < 0 ? "" : Last(name[..dot]);
        string member = WithoutArity(name[(dot + 1)..]).ToString();
        member = member is "#ctor" or "#cctor" ? type : member[(member.LastIndexOf('#') + 1)..];
        return withType && type.Length > 0 && member != type ? $"{type}.{member}" : member;
    }

    // Names without their namespaces and arities; what stands between names is kept, a comma with a space after it.
    private static void AppendParameters(StringBuilder heading, ReadOnlySpan<char> parameters)
    {
        while (!parameters.IsEmpty)
        {
            int end = parameters.IndexOfAny("(),[]{}@*");
            ReadOnlySpan<char> name = end < 0 ? parameters : parameters[..end];
            heading.Append(name.StartsWith('`') ? "T" : Last(name.ToString()));
            if (end < 0)
            {
                break;
            }

            heading.Append(parameters[end] switch { ',' => ", ", '{' => "<", '}' => ">", '@' => "", char other => other.ToString() });
            parameters = parameters[(end + 1)..];
        }
    }

    private static string Last(string name)
    {
        string bare = WithoutArity(name).ToString();
        return bare[(bare.LastIndexOf('.') + 1)..];
    }

    private static string WithoutParameters(string name)
    {
        int open = name.IndexOf('(', StringComparison.Ordinal);
        int result = name.IndexOf('~', StringComparison.Ordinal);
        int end = open >= 0 ? open : result;
        return end < 0 ? name : name[..end];
    }

    // `1 and ``2 go wherever they are.
    private static StringBuilder WithoutArity(string name)
    {
        var bare = new StringBuilder(name.Length);
        for (int i = 0; i < name.Length; i++)
        {
            if (name[i] != '`')
            {
                bare.Append(name[i]);
                continue;
            }

            while (i + 1 < name.Length && (name[i + 1] == '`' || char.IsAsciiDigit(name[i + 1])))
            {
                i++;
            }
        }

        return bare;
    }
}
