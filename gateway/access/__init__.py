"""Who may use the gateway, and how much: API keys, bind policy, rate limits and quotas."""
